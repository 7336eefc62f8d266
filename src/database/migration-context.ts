import { sharedStorage } from './shared-storage.ts'

/** A migration that is being applied or rolled back. */
export interface RunningMigration {
  readonly name: string
  readonly direction: 'up' | 'down'
}

const context = sharedStorage<RunningMigration>('migration')

/** Runs a migration's function so that its log entries carry the migration's name. */
export function inMigration<Result>(migration: RunningMigration, run: () => Promise<Result>): Promise<Result> {
  return context.run(migration, run)
}

/** Returns the running migration if our migration source loaded it; otherwise null. */
export function currentMigration(): RunningMigration | null {
  return context.getStore() ?? null
}
