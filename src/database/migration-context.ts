import { sharedStorage } from './shared-storage.ts'

/** A migration that is being applied or rolled back. */
export interface RunningMigration {
  readonly name: string
  readonly direction: 'up' | 'down'
}

const context = sharedStorage<RunningMigration>('migration')

/** Runs a migration's function so that what it logs carries the migration's name. */
export function inMigration<Result>(migration: RunningMigration, run: () => Promise<Result>): Promise<Result> {
  return context.run(migration, run)
}

/** The migration that is running, where our migration source loaded it; null elsewhere. */
export function currentMigration(): RunningMigration | null {
  return context.getStore() ?? null
}
