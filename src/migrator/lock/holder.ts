import type { LockHolder } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import type { MigrationTables } from '../settings.ts'

/** The run that is noted as not ended: while the advisory lock is held, that of its holder. */
export async function unfinishedRun(session: Session, tables: MigrationTables): Promise<LockHolder | null> {
  return session.ask<LockHolder | null>(`select (
      select ${holderJson('run')} from ${tables.runs} as run where run.ended_at is null order by run.id desc limit 1
    ) as state`)
}

/** A row of the table of runs, as the holder of the lock. */
export function holderJson(alias: string): string {
  return `json_build_object('id', ${alias}.id, 'host', ${alias}.host, 'processId', ${alias}.process_id,
    'user', ${alias}.operating_system_user, 'role', ${alias}.role, 'command', ${alias}.command,
    'since', ${alias}.started_at)`
}
