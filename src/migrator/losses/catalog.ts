import type { Session } from '../../database/session.ts'

/** A table before anything is rolled back. */
export interface StoredTable {
  readonly oid: number
  /** The name with its schema, quoted if necessary. */
  readonly name: string
  /** The table that it is a partition of; null for other tables. */
  readonly parent: number | null
  readonly columns: readonly StoredColumn[]
}

export interface StoredColumn {
  readonly number: number
  /** Quoted if necessary. */
  readonly name: string
  readonly type: string
  /** Whether its type is one of pgvector's, or an array or a domain of one. */
  readonly isVector: boolean
}

/** Reads every table of user schemas, with its columns. */
export async function readTables(session: Session): Promise<StoredTable[]> {
  return session.ask<StoredTable[]>(`with vector_type as (
      select d.objid as oid from pg_catalog.pg_depend d join pg_catalog.pg_extension e on e.oid = d.refobjid
      where e.extname = 'vector' and d.deptype = 'e' and d.classid = 'pg_catalog.pg_type'::regclass
        and d.refclassid = 'pg_catalog.pg_extension'::regclass
    )
    select coalesce(json_agg(json_build_object(
      'oid', c.oid::bigint,
      'name', format('%I.%I', n.nspname, c.relname),
      'parent', (select i.inhparent::bigint from pg_catalog.pg_inherits i where i.inhrelid = c.oid and c.relispartition),
      'columns', (
        select coalesce(json_agg(json_build_object('number', a.attnum, 'name', quote_ident(a.attname),
          'type', format_type(a.atttypid, a.atttypmod),
          'isVector', exists (select from vector_type v where v.oid in (t.oid, t.typelem, t.typbasetype))
        ) order by a.attnum), '[]')
        from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      )) order by n.nspname, c.relname), '[]') as state
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`)
}

/** The part of a table that would be lost: all of it, or some of its columns. */
export interface LostPart {
  readonly table: StoredTable
  readonly isWhole: boolean
  readonly columns: readonly StoredColumn[]
}

/**
 * Returns what existed before and does not exist after. It compares OIDs, so a renamed object is not a loss, but a
 * recreated table is. For a table that is lost as a whole, only its vector columns are listed.
 */
export function lostBetween(before: readonly StoredTable[], after: readonly StoredTable[]): LostPart[] {
  const left = new Map(after.map((table) => [table.oid, table]))
  const isGone = (oid: number | null): boolean => oid !== null && !left.has(oid)
  return before.flatMap((table): readonly LostPart[] => {
    const now = left.get(table.oid)
    if (now === undefined) {
      // The rows of a partition are counted with its parent table.
      if (isGone(table.parent)) return []
      return [{ table, isWhole: true, columns: table.columns.filter(({ isVector }) => isVector) }]
    }
    if (table.parent !== null) return []
    const numbers = new Set(now.columns.map(({ number }) => number))
    const columns = table.columns.filter(({ number }) => !numbers.has(number))
    return columns.length === 0 ? [] : [{ table, isWhole: false, columns }]
  })
}

/** Merges parts of the same tables, so that each table and column appears once. */
export function joinParts(parts: readonly LostPart[]): LostPart[] {
  const joined = new Map<number, LostPart>()
  for (const part of parts) {
    const { table, isWhole, columns } = joined.get(part.table.oid) ?? { ...part, columns: [] }
    const numbers = new Set([...columns, ...part.columns].map(({ number }) => number))
    joined.set(table.oid, {
      table,
      isWhole: isWhole || part.isWhole,
      columns: table.columns.filter(({ number }) => numbers.has(number)),
    })
  }
  // For a table that is lost as a whole, only vector columns are listed, whichever part reported it.
  return [...joined.values()].map((part) =>
    part.isWhole ? { ...part, columns: part.columns.filter(({ isVector }) => isVector) } : part,
  )
}
