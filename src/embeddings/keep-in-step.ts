import { parseOptions } from '../core/parse-options.ts'
import { listenOn } from '../database/listen.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { assertEmbedding, type Embedding } from './embedding.ts'
import { assertKeptInStep, readInStepState } from './state.ts'
import { keepInStepOptions, type KeepInStepOptions } from './worker/options.ts'
import { endlessPolicy } from './worker/policies.ts'
import { prepareWorker, type InStepWorker } from './worker/start.ts'

/** The result of {@link keepInStep}. */
export interface KeepInStepResult {
  /** Rows that received their vector. */
  readonly filled: number
  /** Rows that were given up. */
  readonly failed: number
  readonly milliseconds: number
  /** Problems that did not stop the worker. */
  readonly warnings: readonly string[]
}

/**
 * Makes the vectors of rows that are stale or have none, until the signal aborts. Any number of workers can run at once:
 * each row is claimed by one of them, and the claim of a killed worker ends with its lease.
 *
 * While `embed` works, no lock is held and no transaction is open. The old vector stays searchable until the new one is
 * written. Once it runs, the worker outlives failures of the model and of the connection. A row for which only the model
 * fails becomes a dead letter (`inStep` counts it as failed), and is tried again when it changes or after `retryInStep`.
 *
 * @example
 * ```ts
 * await keepInStep(knex, articles, { embed: (rows) => model.embed(rows.map(({ body }) => body)), signal })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, COLUMN_DIFFERS, NOT_KEPT_IN_STEP,
 * IN_STEP_NOT_POSSIBLE, TABLE_NOT_TRUSTED, READ_ONLY or INSUFFICIENT_PRIVILEGE.
 */
export async function keepInStep<Row extends object = Record<string, unknown>>(
  db: Database,
  embedding: Embedding,
  options: KeepInStepOptions<Row> = {},
): Promise<KeepInStepResult> {
  assertEmbedding(embedding)
  const needs = parseOptions(keepInStepOptions, options)
  const session = sessionOf(db)
  const started = performance.now()
  const worker = await prepareWorker(session, embedding, needs, () => Promise.resolve(null))
  const over = new AbortController()
  const listening = needs.listen
    ? listen(
        worker,
        () => listenOn(session, worker.state.names.marks, () => worker.wake.wake(), over.signal),
        over.signal,
      )
    : undefined
  try {
    await worker.run((parts) =>
      endlessPolicy({
        ...parts,
        poll: needs.poll,
        verify: async () => assertKeptInStep(await readInStepState(session, embedding)),
        tidy: () => worker.source.tidy(),
      }),
    )
  } finally {
    over.abort()
    await listening
  }
  const { report } = worker
  const milliseconds = performance.now() - started
  return { filled: report.filled(), failed: report.failures(), milliseconds, warnings: report.warnings }
}

const LISTEN_AGAIN = 5000

// Polling goes on while nothing can be heard.
async function listen({ wake, report }: InStepWorker, start: () => Promise<void>, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await start().catch((error: unknown) => report.warn(`LISTEN failed: ${String(error)}; polling goes on`))
    if (!over.aborted) await wake.pause(LISTEN_AGAIN, [over])
  }
}
