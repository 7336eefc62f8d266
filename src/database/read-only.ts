import type { ReadOnly } from '../core/error-messages.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import { readOnlySql } from './read-only-sql.ts'
import type { Session } from './session.ts'

/** Refuses work on a session that cannot write, for work whose own query does not read {@link readOnlySql}. */
export async function assertWritable(session: Session): Promise<void> {
  refuseReadOnly(await session.ask<ReadOnly | null>(`select ${readOnlySql} as state`))
}

/** Refuses work if the session cannot write. */
export function refuseReadOnly(readOnly: ReadOnly | null): void {
  if (readOnly !== null) throw new PgvectorMigrationError('READ_ONLY', readOnly)
}
