export { createMigrator, type Migrator } from './migrator/create-migrator.ts'
export type { AdoptOptions, AdoptResult } from './migrator/adopt/adopt.ts'
export type {
  ExtensionEntry,
  HistoryEntry,
  HistoryError,
  HistoryOptions,
  HistoryRun,
  MigrationEntry,
  RunEntry,
} from './migrator/history.ts'
export { newMigration, type NewMigration, type NewMigrationOptions } from './scaffold/new-migration.ts'
export type { UnlockOptions, UnlockResult } from './migrator/lock/unlock.ts'
export type { PlannedMigration, PlannedStatement, PlanOrigin, PlanResult } from './migrator/plan/result.ts'
export { planScript } from './migrator/plan/script.ts'
export type { MigratorEvent, RunOptions, RunResult } from './migrator/events.ts'
export type { DownSelection, UpSelection } from './migrator/select.ts'
export type { MigratorOptions } from './migrator/settings.ts'
export type { Deadlines } from './database/deadlines.ts'
export type { MigrationStatus } from './migrator/status.ts'
export type { Rehearsal, RehearseOptions } from './migrator/rehearse/rehearse.ts'
export type { RehearsedMigration } from './migrator/rehearse/migrations.ts'
export type { RehearsedStatement } from './migrator/rehearse/statements.ts'
export type { TakenLock } from './migrator/rehearse/locks.ts'
export type { Losses, LossOptions, LostColumn, LostTable } from './migrator/losses/losses.ts'
