export { ensurePgvector } from './extension/ensure.ts'
export type { EnsureResult } from './extension/result.ts'
export { dropPgvector, type DropResult } from './extension/drop.ts'
export { inspectPgvector, type InspectOptions } from './extension/inspect.ts'
export { findDependents, type Dependent, type Dependents, type Mention } from './extension/dependents.ts'
export { verifyPgvector } from './extension/verify.ts'
export { upgradePgvector, type UpgradeOptions, type UpgradeResult } from './indexes/upgrade.ts'
export type { Advisory } from './pgvector/releases.ts'
export { addVectorColumn } from './columns/add.ts'
export { dropVectorColumn, type DropColumnOptions } from './columns/drop.ts'
export type { ColumnOptions, ColumnResult } from './columns/change-options.ts'
export { vectorColumn, type VectorColumn, type VectorColumnOptions } from './columns/column.ts'
export { vectorIndex, type IndexParameters, type VectorIndex, type VectorIndexOptions } from './indexes/vector-index.ts'
export type { IndexStorage, StorageChoice } from './indexes/storage.ts'
export type { DistanceFor, IndexMethod, MethodFor, Metric, MetricFor, OperatorClass } from './pgvector/index-methods.ts'
export { distance, type ColumnDistanceOptions, type DistanceOptions } from './search/distance.ts'
export { nearestRows, type NearestRowsOptions } from './search/nearest-rows.ts'
export { withSearchOptions, type SearchOptions } from './search/options.ts'
export type { QueryVector } from './columns/values.ts'
export type { VectorType } from './pgvector/vector-types.ts'
export { buildIndex, type BuildResult } from './indexes/build/build.ts'
export type { BuildOptions, BuildProgress, IndexBuildEvent } from './indexes/build/options.ts'
export { backfillVectors, type BackfillResult } from './backfill/backfill.ts'
export { estimateBackfill, type BackfillEstimate } from './backfill/estimate.ts'
export type { BackfillEvent, BackfillOptions, BackfillProgress, BackfillRows, Embed } from './backfill/options.ts'
export { dropIndex, type DropIndexOptions, type DropIndexResult } from './indexes/drop.ts'
export { planIndexBuild, type IndexBuildPlan, type IndexPlanOptions, type PlannedBuild } from './indexes/decide/plan.ts'
export type { ExistingIndex, IndexFacts, TableFacts } from './indexes/look/facts.ts'
export { readIndexFacts } from './indexes/look/read-facts.ts'
export type { BuildSettings } from './indexes/decide/memory.ts'
export { listVectorIndexes, type ListedIndex } from './indexes/list.ts'
export { runningIndexBuilds, type RunningIndexBuild } from './indexes/running-builds.ts'
export { repairVectorIndexes, type RepairOptions, type RepairResult } from './indexes/repair.ts'
export { diffVectors, type DeclaredVectors, type VectorDifference } from './diff/diff.ts'
export type { Operation } from './operations/operation.ts'
export { migration, type MigrationModule } from './operations/migration.ts'
export { EnablePgvector } from './operations/enable-pgvector.ts'
export { UpgradePgvector } from './operations/upgrade-pgvector.ts'
export { AddVectorColumn } from './operations/add-vector-column.ts'
export { DropVectorColumn } from './operations/drop-vector-column.ts'
export { CreateVectorIndex } from './operations/create-vector-index.ts'
export { DropVectorIndex } from './operations/drop-vector-index.ts'
export type { IndexArguments, IndexOperationOptions } from './operations/index-operation.ts'
export { RunSql, type RunSqlOptions } from './operations/run-sql.ts'
export { migrateToLatest } from './migrator/create-migrator.ts'
export {
  migrationSource,
  type FileMigration,
  type FileMigrationSource,
  type MigrationSourceOptions,
} from './migrator/files/source.ts'
export type { PgvectorState } from './extension/state.ts'
export type { DimensionStorage } from './pgvector/storage.ts'
export type { ProviderName } from './pgvector/providers.ts'
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
