export { ensurePgvector } from './extension/ensure.ts'
export type { EnsureResult } from './extension/result.ts'
export { dropPgvector, type DropResult } from './extension/drop.ts'
export { inspectPgvector, type InspectOptions } from './extension/inspect.ts'
export { findDependents, type Dependent, type Dependents, type Mention } from './extension/dependents.ts'
export { verifyPgvector } from './extension/verify.ts'
export { createMigrator, migrateToLatest, type Migrator } from './runner/migrator.ts'
export type { MigratorEvent, RunOptions, RunResult } from './runner/events.ts'
export type { DownSelection, UpSelection } from './runner/select.ts'
export type { MigratorOptions } from './runner/settings.ts'
export type { MigrationStatus } from './runner/status.ts'
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
