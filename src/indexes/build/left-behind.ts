import { logChange } from '../../extension/log-change.ts'
import { qualified } from '../../core/sql.ts'
import { isEqual } from '../decide/equal.ts'
import { readCatalogFacts } from '../look/read-facts.ts'
import type { VectorIndex } from '../vector-index.ts'
import { afterwards } from './afterwards.ts'
import { withHint } from './errors.ts'
import type { BuildJob } from './job.ts'

/** The hint if the state could not be read. */
export const UNKNOWN_STATE =
  'Whether it left an invalid index could not be read. To see it: npx knex-pgvector index list'

/**
 * Returns the error of a build that ended early, with what the build left behind. An invalid index slows down every
 * write and serves no query. It is therefore named and logged, with the command that finishes it.
 */
export async function withLeftovers(job: BuildJob, index: VectorIndex, error: unknown): Promise<unknown> {
  if (!job.state.hasBegun) return error
  const facts = await afterwards(job, (session) => readCatalogFacts(session, index))
  if (facts === null) return withHint(error, UNKNOWN_STATE)
  const left = facts.indexes.find((existing) => !existing.isValid && isEqual(existing, index, facts))
  if (left === undefined) return error
  const name = qualified(left.schema, left.name)
  const command = `DROP INDEX ${left.isPartitioned ? '' : 'CONCURRENTLY '}${name};`
  const details = { table: facts.table?.oid, index: left.name, command }
  await afterwards(job, (session) =>
    logChange(session, job.needs.log, { event: 'index left invalid', milliseconds: 0, details }),
  )
  const builders = facts.builds.map(({ processId }) => processId)
  const stays = left.isPartitioned ? '; the indexes of its partitions that were built remain' : ''
  const still = builders.length === 0 ? '' : ` Backend PID ${builders.join(', ')} is still working on the table.`
  return withHint(
    error,
    `Index ${name} was left invalid, and no query uses it${stays}.${still} Run the same command again to finish, or drop it: ${command}`,
  )
}
