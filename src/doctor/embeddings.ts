import { isInSchema, qualified } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { isObviouslyTrustedSql } from '../database/table-trust.ts'
import { findingsOf, type Finding } from './finding.ts'

/** A column that is kept in step, as its side tables show. */
export interface KeptEmbedding {
  /** The column, as the comment on its table of marks says. */
  readonly name: string
  readonly stale: number
  readonly failed: number
  /** Whether an enabled trigger marks rows. */
  readonly isMarked: boolean
}

interface Tables extends Pick<KeptEmbedding, 'name' | 'isMarked'> {
  readonly schema: string
  readonly marks: string
  readonly claims: string
}

/** Reads what is kept in step. Tables that another role controls are not read. */
export async function readEmbeddings(session: Session, schema?: string): Promise<readonly KeptEmbedding[]> {
  const found = await session.ask<readonly Tables[]>(`
    with side as (
      select c.oid, c.relnamespace, n.nspname, c.relname, obj_description(c.oid, 'pg_class') as comment
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where ${isInSchema('n.nspname', schema)} and c.relkind = 'r' and c.relname like '%\\_\\_marks' and ${isObviouslyTrustedSql}
        and has_table_privilege(c.oid, 'select')
        and obj_description(c.oid, 'pg_class') like '%: the rows whose vectors are stale (knex-pgvector)'
    )
    select coalesce(json_agg(json_build_object(
      'name', split_part(side.comment, ':', 1), 'schema', side.nspname, 'marks', side.relname, 'claims', c.relname,
      'isMarked', exists (
        select from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
        where p.pronamespace = side.relnamespace and p.proname = left(side.relname, -1) and t.tgenabled in ('O', 'A')
      )) order by side.nspname, side.relname), '[]') as state
    from side join pg_catalog.pg_class c
      on c.relnamespace = side.relnamespace and c.relname = left(side.relname, -5) || 'claims' and ${isObviouslyTrustedSql}
      and has_table_privilege(c.oid, 'select')`)
  const read: KeptEmbedding[] = []
  for (const { name, schema: place, marks, claims, isMarked } of found) {
    const counts = await session.askAsCaller<Pick<KeptEmbedding, 'stale' | 'failed'>>(
      `select pg_catalog.json_build_object(
        'stale', (select pg_catalog.count(*) from ${qualified(place, marks)}),
        'failed', (select pg_catalog.count(*) from ${qualified(place, claims)} where due_at operator(pg_catalog.=) 'infinity')
      ) as state`,
    )
    read.push({ name, isMarked, ...counts })
  }
  return read
}

const { ok, warning, error: failure } = findingsOf('embeddings')

/** Reports for each column that is kept in step whether edits are marked, and how many wait or have failed. */
export function embeddingFindings(kept: readonly KeptEmbedding[]): Finding[] {
  return kept.map(({ name, stale, failed, isMarked }) => {
    if (!isMarked) {
      return failure(
        `${name} is not kept in step: no enabled trigger marks its rows`,
        'Apply a migration with new KeepInStep(…) for it, then run npx knex-pgvector vectors verify',
      )
    }
    const waiting = `${stale} ${stale === 1 ? 'mark waits' : 'marks wait'} for a worker`
    if (failed === 0) return ok(`${name} is kept in step: ${waiting}`)
    return warning(
      `${name}: the vectors of ${failed} ${failed === 1 ? 'row' : 'rows'} could not be made; ${waiting}`,
      'npx knex-pgvector vectors retry',
    )
  })
}
