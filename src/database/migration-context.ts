import { sharedStorage } from './shared-storage.ts'

const context = sharedStorage<string>('migration')

/** Runs a migration's function so that what it logs carries the migration's name. */
export function inMigration<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
  return context.run(name, run)
}

/** The migration that is running, where our migration source loaded it; null elsewhere. */
export function currentMigration(): string | null {
  return context.getStore() ?? null
}
