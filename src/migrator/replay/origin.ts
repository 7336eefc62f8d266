import { readReplication, type Replication } from '../../columns/replication.ts'
import { readState } from '../../extension/inspect.ts'
import type { PgvectorState } from '../../extension/state.ts'
import type { Session } from '../../database/session.ts'
import { readSurroundings, type Surroundings } from './replay.ts'
import { readStoredObjects, type StoredObject } from './stored-objects.ts'
import type { MigrationTables } from '../settings.ts'
import { readApplied, type AppliedMigration } from '../tracking.ts'

/** What a plan needs to know about the database that it is created for. */
export interface Origin {
  readonly applied: readonly AppliedMigration[]
  readonly pgvector: PgvectorState
  readonly surroundings: Surroundings
  readonly objects: readonly StoredObject[]
  readonly replication: Replication
  /** When it was read, as ISO 8601. */
  readonly at: string
}

/** Reads it in a read-only transaction, which needs only read privileges and works on a standby. */
export async function readOrigin(session: Session, tables: MigrationTables): Promise<Origin> {
  return session.transaction(
    async (trx) => ({
      applied: await readApplied(trx, tables),
      pgvector: await readState(trx, {}, null),
      surroundings: await readSurroundings(trx),
      objects: await readStoredObjects(trx),
      replication: await readReplication(trx),
      at: new Date().toISOString(),
    }),
    { readOnly: true },
  )
}
