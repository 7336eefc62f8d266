import type { Duration } from '../core/durations.ts'
import type { LockHolder } from '../core/errors.ts'
import { choiceKind, durationKind, functionKind, signalKind, textKind } from '../core/option-kinds.ts'

/** What a run tells while it runs. */
export type MigratorEvent =
  | { readonly type: 'waiting'; readonly holder: LockHolder | null }
  /** A run that died had left the lock behind, and it was freed; null where it was not one of ours. */
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

export type Direction = 'up' | 'down'

/** What a run did. */
export interface RunResult {
  readonly direction: Direction
  /** The number of Knex's batch; null where nothing was applied. */
  readonly batch: number | null
  readonly migrations: readonly { readonly name: string; readonly milliseconds: number }[]
  /** Pending migrations that this run left out. */
  readonly skipped: readonly string[]
  /** Whether each migration committed by itself, or all of them at once. */
  readonly transaction: TransactionMode
  /** What should be known although all went well. */
  readonly warnings: readonly string[]
}

/** How a run commits: `each` migration by itself, or all of them at once, as stock Knex does. */
export type TransactionMode = 'each' | 'batch'

/** What every run can be told. */
export interface RunOptions {
  /** How long to wait for another run, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
  /**
   * How to commit; default `each`. With `batch` a failure takes back the whole run. Where one of its migrations asks for
   * no transaction, every migration commits by itself.
   */
  readonly transaction?: TransactionMode | undefined
  /** Stops the run: the migration that is running is rolled back, the lock freed. */
  readonly signal?: AbortSignal | undefined
  /** What runs, for those who wait; default the name of the method. */
  readonly command?: string | undefined
  /** Told of everything that happens while it runs: waiting, each migration as it starts and ends. */
  readonly onEvent?: ((event: MigratorEvent) => void) | undefined
}

export const runKinds = {
  wait: durationKind,
  transaction: choiceKind(['each', 'batch']),
  signal: signalKind,
  command: textKind,
  onEvent: functionKind<(event: MigratorEvent) => void>(),
} as const satisfies Record<keyof RunOptions, unknown>
