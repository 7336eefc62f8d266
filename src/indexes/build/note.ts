import { currentTarget } from '../../database/target.ts'
import type { Session } from '../../database/session.ts'
import { logChange, numbersOf } from '../../extension/log-change.ts'
import type { VectorIndex } from '../vector-index.ts'
import type { BuildJob } from './job.ts'

/**
 * Records that an index is about to be created, or is gone, so that the remains of an interrupted build are known to be
 * ours.
 */
export async function noteIndex(
  session: Session,
  { needs, about }: BuildJob,
  { name, method, metric }: VectorIndex,
  table: { readonly schema: string; readonly name: string },
  event: 'index begun' | 'index dropped',
): Promise<void> {
  if (currentTarget() !== null) return
  const computedDetails = numbersOf(table.schema, table.name)
  // If the entry cannot be written, that is reported when the index is built.
  const details = { index: name, method, metric, ...about }
  await logChange(session, needs.log, { event, milliseconds: 0, details, computedDetails }).catch(() => undefined)
}
