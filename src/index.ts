export { ensurePgvector } from './extension/ensure.ts'
export type { EnsureResult } from './extension/result.ts'
export { dropPgvector, type DropResult } from './extension/drop.ts'
export { inspectPgvector, type InspectOptions } from './extension/inspect.ts'
export { findDependents, type Dependent, type Dependents, type Mention } from './extension/dependents.ts'
export { verifyPgvector } from './extension/verify.ts'
export { upgradePgvector, type UpgradeOptions, type UpgradeResult } from './vectors/upgrade-pgvector.ts'
export type { Advisory } from './extension/releases.ts'
export {
  addVectorColumn,
  dropVectorColumn,
  type ColumnOptions,
  type ColumnResult,
  type DropColumnOptions,
} from './vectors/change-column.ts'
export { vectorColumn, type VectorColumn, type VectorColumnOptions } from './vectors/column.ts'
export { vectorIndex, type IndexParameters, type VectorIndex, type VectorIndexOptions } from './vectors/vector-index.ts'
export type { IndexStorage, StorageChoice } from './vectors/index-storage.ts'
export type { DistanceFor, IndexMethod, MethodFor, Metric, MetricFor, OperatorClass } from './vectors/capabilities.ts'
export { distance, type ColumnDistanceOptions, type DistanceOptions } from './vectors/search.ts'
export { nearestRows, type NearestRowsOptions } from './vectors/nearest-rows.ts'
export { withSearchOptions, type SearchOptions } from './vectors/search-options.ts'
export type { QueryVector } from './vectors/query-vector.ts'
export type { VectorType } from './extension/limits.ts'
export { buildIndex, type BuildResult } from './vectors/build-index.ts'
export type { BuildOptions, BuildProgress, IndexBuildEvent } from './vectors/build-options.ts'
export { backfillVectors, type BackfillResult } from './vectors/backfill.ts'
export { estimateBackfill, type BackfillEstimate } from './vectors/backfill-estimate.ts'
export type {
  BackfillEvent,
  BackfillOptions,
  BackfillProgress,
  BackfillRows,
  Embed,
} from './vectors/backfill-options.ts'
export { dropIndex, type DropIndexOptions, type DropIndexResult } from './vectors/drop-index.ts'
export { planIndexBuild, type IndexBuildPlan, type IndexPlanOptions, type PlannedBuild } from './vectors/index-plan.ts'
export type { ExistingIndex, IndexFacts, TableFacts } from './vectors/index-facts.ts'
export { readIndexFacts } from './vectors/read-index-facts.ts'
export type { BuildSettings } from './vectors/build-memory.ts'
export { listVectorIndexes, type ListedIndex } from './vectors/list-indexes.ts'
export { runningIndexBuilds, type RunningIndexBuild } from './vectors/running-builds.ts'
export { repairVectorIndexes, type RepairOptions, type RepairResult } from './vectors/repair-indexes.ts'
export { diffVectors, type DeclaredVectors, type VectorDifference } from './vectors/diff.ts'
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
export { createMigrator, migrateToLatest, type Migrator } from './runner/migrator.ts'
export type { AdoptOptions, AdoptResult } from './runner/adopt.ts'
export type {
  ExtensionEntry,
  HistoryEntry,
  HistoryError,
  HistoryOptions,
  HistoryRun,
  MigrationEntry,
  RunEntry,
} from './runner/history.ts'
export { newMigration, type NewMigration, type NewMigrationOptions } from './runner/new-migration.ts'
export { diagnose, type DiagnoseOptions } from './runner/doctor/diagnose.ts'
export type { Check, Finding } from './runner/doctor/finding.ts'
export type { UnlockOptions, UnlockResult } from './runner/unlock.ts'
export type { PlannedMigration, PlannedStatement, PlanOrigin, PlanResult } from './runner/plan.ts'
export {
  lintMigrations,
  type LintFacts,
  type LintFinding,
  type LintResult,
  type LintedMigration,
  type UnreadStatement,
} from './runner/lint/lint-migrations.ts'
export type { LintOptions } from './runner/lint/lint.ts'
export type { LintRule } from './runner/lint/rules.ts'
export type { KnownTable } from './runner/lint/table.ts'
export { planScript } from './runner/plan-script.ts'
export type { MigratorEvent, RunOptions, RunResult } from './runner/events.ts'
export type { DownSelection, UpSelection } from './runner/select.ts'
export type { MigratorOptions } from './runner/settings.ts'
export type { MigrationStatus } from './runner/status.ts'
export type { Rehearsal, RehearseOptions } from './runner/rehearse.ts'
export type { RehearsedMigration } from './runner/rehearse-migrations.ts'
export type { RehearsedStatement } from './runner/rehearse-statements.ts'
export type { TakenLock } from './runner/locks-taken.ts'
export type { Losses, LossOptions, LostColumn, LostTable } from './runner/losses.ts'
export {
  migrationSource,
  type FileMigration,
  type FileMigrationSource,
  type MigrationSourceOptions,
} from './runner/migration-source.ts'
export type { PgvectorState } from './extension/state.ts'
export type { DimensionStorage } from './extension/storage.ts'
export type { ProviderName } from './extension/providers.ts'
export {
  MIN_PGVECTOR_VERSION,
  MIN_POSTGRES_MAJOR,
  REQUIRED_DIMENSIONS,
  type DropOptions,
  type EnsureOptions,
  type Logger,
  type LogOptions,
} from './options.ts'
export { PgvectorMigrationError, isPgvectorMigrationError, type ErrorCode, type ErrorDetails } from './errors.ts'
