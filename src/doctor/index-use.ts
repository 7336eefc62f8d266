import { isInSchema } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { isLikeTenantIndex } from '../indexes/tenants/rule.ts'
import { indexMethodsSql } from '../pgvector/index-methods.ts'
import { findingsOf, statements, type Finding } from './finding.ts'

const { warning } = findingsOf('indexes')

/** How a valid vector index is used, since the statistics of this server were last reset. */
export interface UsedIndex {
  readonly name: string
  readonly table: string
  readonly scans: number
  /** All scans of its table, with or without an index. */
  readonly tableScans: number
  readonly bytes: number
  /** The same text for indexes that serve the same queries. */
  readonly serves: string
}

/** Reads the use of vector indexes without partitioned ones, which have no scans of their own. */
export function readIndexUse(session: Session, schema?: string): Promise<UsedIndex[]> {
  return session.ask(`select coalesce(json_agg(json_build_object(
      'name', format('%I.%I', s.schemaname, s.indexrelname), 'table', format('%I.%I', s.schemaname, s.relname),
      'scans', s.idx_scan, 'tableScans', t.seq_scan + coalesce(t.idx_scan, 0),
      'bytes', coalesce(pg_relation_size(s.indexrelid), 0),
      'serves', concat_ws(' | ', i.indrelid, i.indkey, i.indclass, pg_get_expr(i.indexprs, i.indrelid), 'where',
        pg_get_expr(i.indpred, i.indrelid))
    ) order by s.schemaname, s.indexrelname), '[]') as state
    from pg_catalog.pg_stat_user_indexes s
    join pg_catalog.pg_stat_user_tables t on t.relid = s.relid
    join pg_catalog.pg_index i on i.indexrelid = s.indexrelid and i.indisvalid and i.indisready
    join pg_catalog.pg_class c on c.oid = s.indexrelid
    join pg_catalog.pg_am a on a.oid = c.relam
    where a.amname in ${indexMethodsSql} and ${isInSchema('s.schemaname', schema)}`)
}

// With fewer scans of the table, or a small index, nothing follows from an unused one.
const ENOUGH_SCANS = 1000
const SMALLEST = 1024 * 1024

/** Reports vector indexes that only cost memory and writes: duplicates of others, and unused ones. */
export function indexUseFindings(indexes: readonly UsedIndex[]): Finding[] {
  const surplus = [...groupsOf(indexes).values()].flatMap((group) => {
    const [kept, ...others] = group.toSorted((left, right) => right.scans - left.scans)
    return kept === undefined ? [] : others.map((index) => ({ index, kept }))
  })
  const duplicates = new Set(surplus.map(({ index }) => index.name))
  const unused = indexes.filter(
    ({ name, scans, tableScans, bytes }) =>
      scans === 0 && tableScans >= ENOUGH_SCANS && bytes >= SMALLEST && !duplicates.has(name),
  )
  const others = unused.filter(({ name }) => !isLikeTenantIndex(name))
  return [
    ...surplus.map(({ index, kept }) =>
      warning(
        `${index.name} on ${index.table} serves the same queries as ${kept.name}, and each write maintains both`,
        `DROP INDEX CONCURRENTLY ${index.name}; -- the one of them with fewer scans on this server`,
      ),
    ),
    ...unused
      .filter(({ name }) => isLikeTenantIndex(name))
      .map(({ name }) =>
        warning(
          `no query on this server has used ${name}, the index of a big tenant, since its statistics were reset`,
          'Check that the searches of this tenant compare its column with a value. If it is rarely searched, raise `above` of the rule, which would build the index again.',
        ),
      ),
    ...(others.length === 0
      ? []
      : [
          warning(
            `no query on this server has used ${others.map(({ name }) => name).join(', ')} since its statistics were reset`,
            `${statements(others.map(({ name }) => `DROP INDEX CONCURRENTLY ${name};`))}\n-- if it is not new, and no replica uses it; otherwise compare its operator class with your queries`,
          ),
        ]),
  ]
}

function groupsOf(indexes: readonly UsedIndex[]): Map<string, UsedIndex[]> {
  const groups = new Map<string, UsedIndex[]>()
  for (const index of indexes) groups.set(index.serves, [...(groups.get(index.serves) ?? []), index])
  return groups
}
