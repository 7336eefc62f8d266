import { readState } from '../../extension/inspect.ts'
import type { PgvectorState } from '../../extension/state.ts'
import type { Session } from '../../database/session.ts'
import { readSurroundings, type Surroundings } from './replay.ts'
import type { MigrationTables } from '../settings.ts'
import { readApplied, type AppliedMigration } from '../tracking.ts'

/** What a plan needs to know of the database that it is made for. */
export interface Origin {
  readonly applied: readonly AppliedMigration[]
  readonly pgvector: PgvectorState
  readonly surroundings: Surroundings
  /** When it was read, as ISO 8601. */
  readonly at: string
}

/** Reads it in a transaction that may not write: the right to read is enough, and a standby will do. */
export async function readOrigin(session: Session, tables: MigrationTables): Promise<Origin> {
  return session.transaction(
    async (trx) => ({
      applied: await readApplied(trx, tables),
      pgvector: await readState(trx, {}, null),
      surroundings: await readSurroundings(trx),
      at: new Date().toISOString(),
    }),
    { readOnly: true },
  )
}
