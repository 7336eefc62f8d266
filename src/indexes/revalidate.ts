import type { Session } from '../database/session.ts'
import { literal, sendable } from '../core/sql.ts'
import { sendWithLockRetry, type LockRetryOptions } from '../database/lock-retry.ts'
import { attachSql } from './partition-index.ts'

type Part = { readonly name: string; readonly oid: number; readonly schema: string; readonly table: string }

/**
 * Makes PostgreSQL check whether a partitioned index is valid now that its parts are. If it is, PostgreSQL also checks
 * the index that it is itself a part of.
 *
 * @param name With its schema, as PostgreSQL prints it.
 */
export async function revalidateIndex(session: Session, name: string, patience: LockRetryOptions): Promise<void> {
  const part = await session.ask<Part | null>(anyPartSql(name))
  if (part === null) return
  const table = { oid: part.oid, schema: part.schema, name: part.table }
  const statement = attachSql(sendable(name), sendable(part.name))
  await sendWithLockRetry(session, table, statement, patience, { waiting: () => undefined })
}

function anyPartSql(name: string): string {
  return `
    select coalesce((
      select json_build_object('name', format('%I.%I', n.nspname, c.relname), 'oid', t.oid::bigint,
        'schema', n.nspname, 'table', t.relname)
      from pg_catalog.pg_inherits i
      join pg_catalog.pg_class c on c.oid = i.inhrelid
      join pg_catalog.pg_index x on x.indexrelid = c.oid
      join pg_catalog.pg_class t on t.oid = x.indrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where i.inhparent = to_regclass(${literal(name)})
      limit 1
    ), 'null') as state`
}
