import { clientOf, type QueryResult } from './knex-inside.ts'
import { sendMessage } from './messages.ts'
import type { Session } from './session.ts'

let cursors = 0

/**
 * Reads the rows of a query in batches, for a connection that cannot stream. The rows are those of one moment. Nothing
 * stays open between two batches but a cursor, so the caller may send other queries.
 */
export async function* readByCursor(
  session: Session,
  query: string,
  batchSize: number,
): AsyncGenerator<QueryResult['rows']> {
  const name = `knex_pgvector_${++cursors}`
  const ask = (sql: string): Promise<readonly QueryResult[]> =>
    session.hold(({ session: held, connection }) =>
      sendMessage(clientOf(held.knex), connection, sql, { isQuestion: true }),
    )
  await ask(`declare ${name} no scroll cursor with hold for ${query}`)
  try {
    for (;;) {
      const [batch] = await ask(`fetch ${batchSize} from ${name}`)
      const rows = batch?.rows ?? []
      if (rows.length > 0) yield rows
      if (rows.length < batchSize) return
    }
  } finally {
    await ask(`close ${name}`).catch(() => undefined)
  }
}
