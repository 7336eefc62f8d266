import type { Duration } from '../core/durations.ts'
import type { LockHolder } from '../core/errors.ts'
import { choiceKind, durationKind, functionKind, signalKind, textKind } from '../core/option-kinds.ts'

/** An event of a running migrator. */
export type MigratorEvent =
  | { readonly type: 'waiting'; readonly holder: LockHolder | null }
  /** A crashed run had left its lock behind, which was freed; null if the run was not one of this library. */
  | { readonly type: 'recovered'; readonly holder: LockHolder | null }
  | {
      readonly type: 'started'
      readonly migration: string
      readonly direction: Direction
      readonly index: number
      readonly total: number
    }
  | {
      readonly type: 'finished'
      readonly migration: string
      readonly direction: Direction
      readonly milliseconds: number
    }
  /** A migration that begins on an embedded copy; `total` is the number of migrations that run there. */
  | { readonly type: 'replaying'; readonly migration: string; readonly index: number; readonly total: number }

export type Direction = 'up' | 'down'

/** The result of a run. */
export interface RunResult {
  readonly direction: Direction
  /** The number of Knex's batch; null if nothing was applied. */
  readonly batch: number | null
  readonly migrations: readonly { readonly name: string; readonly milliseconds: number }[]
  /** Pending migrations that this run skipped. */
  readonly skipped: readonly string[]
  /** Whether each migration committed on its own, or all of them together. */
  readonly transaction: TransactionMode
  /** Warnings of a successful run. */
  readonly warnings: readonly string[]
}

/** How a run commits: `each` migration on its own, or all of them together as a `batch`, as stock Knex does. */
export type TransactionMode = 'each' | 'batch'

/** Options of every run. */
export interface RunOptions {
  /** How long to wait for another run, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
  /**
   * How to commit; default `each`. With `batch`, a failure rolls back the whole run. If one of its migrations opts out
   * of transactions, every migration commits on its own.
   */
  readonly transaction?: TransactionMode | undefined
  /** Stops the run: the current migration is rolled back and the lock is freed. */
  readonly signal?: AbortSignal | undefined
  /** The command name that waiting runs see; default: the name of the method. */
  readonly command?: string | undefined
  /** Receives the events of the run: waiting, the start and end of each migration, and those on an embedded copy. */
  readonly onEvent?: ((event: MigratorEvent) => void) | undefined
}

/** @internal */
export const runKinds = {
  wait: durationKind,
  transaction: choiceKind(['each', 'batch']),
  signal: signalKind,
  command: textKind,
  onEvent: functionKind<(event: MigratorEvent) => void>(),
} as const satisfies Record<keyof RunOptions, unknown>
