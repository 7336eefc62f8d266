export { ensurePgvector } from './extension/ensure.ts'
export type { EnsureResult } from './extension/result.ts'
export { dropPgvector, type DropResult } from './extension/drop.ts'
export { inspectPgvector, type InspectOptions } from './extension/inspect.ts'
export type { PgvectorState } from './extension/state.ts'
export type { SchemaOptions } from './core/schema-options.ts'
export { findDependents, type Dependent, type Dependents } from './extension/dependents.ts'
export { verifyPgvector } from './extension/verify.ts'
export { upgradePgvector, type UpgradeOptions, type UpgradeResult } from './indexes/upgrade.ts'
export { vectorColumn, type VectorColumn, type VectorColumnOptions } from './columns/column.ts'
export { addVectorColumn } from './columns/add.ts'
export { dropVectorColumn } from './columns/drop.ts'
export type {
  AddColumnOptions,
  AddColumnResult,
  DropColumnOptions,
  DropColumnResult,
} from './columns/change-options.ts'
export { fromBinary, toBinary, type BinaryValues } from './columns/binary.ts'
export { copyVectors, type CopyResult } from './columns/copy/copy-vectors.ts'
export type { CopyEvent, CopyVectorsOptions, ReadVectorsOptions } from './columns/copy/options.ts'
export { readVectors } from './columns/copy/read-vectors.ts'
export type { SparseVector } from './columns/elements.ts'
export type { QueryVector } from './columns/read-elements.ts'
export type { VectorType } from './pgvector/vector-types.ts'
export type { IndexMethod, Metric } from './pgvector/index-methods.ts'
export { vectorIndex, type VectorIndex, type VectorIndexOptions } from './indexes/vector-index.ts'
export { createVectorIndex, type CreateIndexResult } from './indexes/build/create-vector-index.ts'
export type { CreateIndexOptions, IndexBuildEvent } from './indexes/build/options.ts'
export { dropVectorIndex, type DropIndexOptions, type DropIndexResult } from './indexes/drop-vector-index.ts'
export { planVectorIndex } from './indexes/plan-vector-index.ts'
export type { IndexPlan, PlanIndexOptions } from './indexes/decide/plan.ts'
export { tenantRule, type TenantRule, type TenantRuleOptions } from './indexes/tenants/rule.ts'
export { ensureTenantIndexes, type TenantIndexesResult } from './indexes/tenants/ensure.ts'
export { planTenantIndexes } from './indexes/tenants/plan.ts'
export { dropTenantIndexes, type DropTenantIndexesResult } from './indexes/tenants/drop.ts'
export type {
  DropTenantIndexesOptions,
  EnsureTenantIndexesOptions,
  PlanTenantIndexesOptions,
  TenantIndex,
  TenantIndexesEvent,
  TenantIndexesPlan,
} from './indexes/tenants/options.ts'
export { forecastBuild, type BuildForecast } from './indexes/forecast/forecast-build.ts'
export type { ForecastOptions } from './indexes/forecast/options.ts'
export type { TimeRange } from './indexes/forecast/build-time.ts'
export { listVectorIndexes, type ListedIndex } from './indexes/list.ts'
export { listIndexBuilds, type IndexBuild } from './indexes/list-builds.ts'
export { repairVectorIndexes, type RepairOptions, type RepairResult } from './indexes/repair.ts'
export { diffVectors, type DeclaredVectors } from './diff/diff.ts'
export type { VectorDifference } from './diff/difference.ts'
export {
  measureRecall,
  type MeasuredRecall,
  type MeasureRecallOptions,
  type RecallPoint,
} from './search/recall/measure-recall.ts'
export type { RecallInterval } from './search/recall/interval.ts'
export type { RecallVerdict } from './search/recall/find-smallest.ts'
export { nearestRows, type NearestRows } from './search/nearest-rows.ts'
export type { NearestRowsOptions } from './search/nearest-rows-options.ts'
export { nearest } from './search/nearest.ts'
export {
  cosineDistance,
  hammingDistance,
  innerProduct,
  jaccardDistance,
  l1Distance,
  l2Distance,
  type DistanceOptions,
} from './search/distances.ts'
export { withSearchOptions } from './search/with-search-options.ts'
export type { SearchOptions } from './search/settings.ts'
export { backfillVectors, type BackfillResult } from './backfill/backfill.ts'
export { estimateBackfill, type BackfillEstimate } from './backfill/estimate.ts'
export type { BackfillEvent, BackfillOptions } from './backfill/options.ts'
export { embedding, type Embed, type Embedding, type EmbeddingOptions } from './embeddings/embedding.ts'
export { keepInStep, type KeepInStepResult } from './embeddings/keep-in-step.ts'
export { backfill, type BackfillInStepResult } from './embeddings/backfill.ts'
export type { BackfillInStepOptions, KeepInStepOptions, WorkEvent } from './embeddings/worker/options.ts'
export { inStep, type InStep } from './embeddings/in-step.ts'
export { retryInStep, type RetryInStepResult } from './embeddings/retry.ts'
export { verifyInStep, type VerifyInStepOptions, type VerifyInStepResult } from './embeddings/verify.ts'
export { setUpInStep } from './embeddings/set-up.ts'
export { removeInStep } from './embeddings/remove.ts'
export type {
  RemoveInStepOptions,
  RemoveInStepResult,
  SetUpInStepOptions,
  SetUpInStepResult,
} from './embeddings/set-up-options.ts'
export { activeModel } from './model-change/active-pair.ts'
export type { ModelPair } from './model-change/pair.ts'
export { nearestText, nearestTo, type NearestText } from './model-change/nearest-text.ts'
export type {
  EmbedText,
  EmbedTextOptions,
  NearestTextOptions,
  VectorOfModel,
} from './model-change/nearest-text-options.ts'
export { changeModel, type ModelChange } from './model-change/change-model.ts'
export type {
  AdvanceOptions,
  BackOptions,
  ChangeModelOptions,
  ContractOptions,
  ModelStepOptions,
  NewModel,
} from './model-change/change-options.ts'
export type { ModelChangeStatus, ModelName } from './model-change/status.ts'
export type { Phase } from './model-change/phase.ts'
export type { ChangeEvent, EmbeddingProgress } from './model-change/events.ts'
export type { Comparison, MeasuredColumn } from './model-change/comparison.ts'
export { migration, type MigrationModule } from './operations/migration.ts'
export type { Operation } from './operations/operation.ts'
export { EnablePgvector } from './operations/enable-pgvector.ts'
export { UpgradePgvector } from './operations/upgrade-pgvector.ts'
export { AddVectorColumn } from './operations/add-vector-column.ts'
export { DropVectorColumn } from './operations/drop-vector-column.ts'
export { CreateVectorIndex } from './operations/create-vector-index.ts'
export { DropVectorIndex } from './operations/drop-vector-index.ts'
export { TenantIndexes } from './operations/tenant-indexes.ts'
export { KeepInStep, type KeepInStepOperationOptions } from './operations/keep-in-step.ts'
export { ChangeModel } from './operations/change-model.ts'
export { RunSql, type RunSqlOptions } from './operations/run-sql.ts'
export { migrationSource, type MigrationSourceOptions } from './migrator/files/source.ts'
export { migrateToLatest } from './migrator/create-migrator.ts'
export {
  MIN_PGVECTOR_VERSION,
  MIN_POSTGRES_MAJOR,
  REQUIRED_DIMENSIONS,
  type DropOptions,
  type EnsureOptions,
  type Logger,
  type LogOptions,
} from './core/options.ts'
export { PgvectorMigrationError, isPgvectorMigrationError, type ErrorCode, type ErrorDetails } from './core/errors.ts'
