export { ensurePgvector } from './extension/ensure.ts'
export type { EnsureResult } from './extension/result.ts'
export { dropPgvector, type DropResult } from './extension/drop.ts'
export { inspectPgvector, type InspectOptions } from './extension/inspect.ts'
export { findDependents, type Dependent, type Dependents, type Mention } from './extension/dependents.ts'
export { verifyPgvector } from './extension/verify.ts'
export { createMigrator, migrateToLatest, type Migrator } from './runner/migrator.ts'
export type { AdoptOptions, AdoptResult } from './runner/adopt.ts'
export type {
  ExtensionEntry,
  HistoryEntry,
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
export { migrationSource, type FileMigration, type MigrationSourceOptions } from './runner/migration-source.ts'
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
