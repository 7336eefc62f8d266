import { isInSchema } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { findingsOf, listed, type Finding } from './finding.ts'

const { warning } = findingsOf('indexes')

/** How a table with an HNSW index is updated, since its statistics were last reset. */
export interface UpdatedTable {
  readonly table: string
  readonly updates: number
  /** Updates that changed no index, because the new version of the row fits on the same page (HOT). */
  readonly hotUpdates: number
  /** Updates whose new version went to another page; null before PostgreSQL 16. */
  readonly newPageUpdates: number | null
  /** The bytes of a row in its page; null without statistics, or without the privilege to read them. */
  readonly rowBytes: number | null
  readonly fillfactor: number
  /** Its indexes of other methods without those of keys, which an update of their columns changes. */
  readonly otherIndexes: readonly string[]
}

/** Reads the counters of tables with an HNSW index. */
export function readUpdatedTables(session: Session, schema?: string): Promise<UpdatedTable[]> {
  return session.ask(`select coalesce(json_agg(json_build_object(
      'table', format('%I.%I', s.schemaname, s.relname), 'updates', s.n_tup_upd, 'hotUpdates', s.n_tup_hot_upd,
      -- a column that older releases do not have
      'newPageUpdates', (to_jsonb(s) ->> 'n_tup_newpage_upd')::bigint,
      'rowBytes', (
        select sum(c.avg_width)::int + 32 from pg_catalog.pg_stats c
        where c.schemaname = s.schemaname and c.tablename = s.relname and not c.inherited
      ),
      'fillfactor', coalesce((
        select o.option_value::int from pg_options_to_table(t.reloptions) o where o.option_name = 'fillfactor'
      ), 100),
      'otherIndexes', (
        select coalesce(json_agg(i.indexrelid::regclass::text order by i.indexrelid), '[]')
        from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid
        join pg_catalog.pg_am a on a.oid = ic.relam
        where i.indrelid = t.oid and not i.indisunique and a.amname not in ('hnsw', 'ivfflat', 'brin')
      )
    ) order by s.schemaname, s.relname), '[]') as state
    from pg_catalog.pg_stat_user_tables s join pg_catalog.pg_class t on t.oid = s.relid
    where ${isInSchema('s.schemaname', schema)} and exists (
      select from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid
      join pg_catalog.pg_am a on a.oid = ic.relam
      where i.indrelid = t.oid and i.indisvalid and a.amname = 'hnsw'
    )`)
}

const FEWEST_UPDATES = 1000
const ENOUGH_HOT = 0.8
const PAGE = 8192

/**
 * Reports tables whose updates insert into the HNSW index again, although the vector is the same. That makes an update
 * some 50 times slower (pgvector#875).
 */
export function updateFindings(tables: readonly UpdatedTable[]): Finding[] {
  return tables.flatMap((each) => {
    const { table, updates, hotUpdates } = each
    if (updates - hotUpdates < FEWEST_UPDATES || hotUpdates >= ENOUGH_HOT * updates) return []
    const percent = Math.floor((100 * hotUpdates) / updates)
    return [
      warning(
        `${updates.toLocaleString('en')} updates of ${table}, and ${percent} % of them left its indexes alone: the others inserted ` +
          `into the HNSW index again, which takes many times as long. ${reasonFor(each)}`,
        `${remedyFor(each)} -- unless most of these updates set new vectors, which the statistics do not show`,
      ),
    ]
  })
}

/** Returns whether the updates had no room on their page; null if unknown. */
function lacksRoom({ updates, hotUpdates, newPageUpdates }: UpdatedTable): boolean | null {
  return newPageUpdates === null ? null : newPageUpdates * 2 >= updates - hotUpdates
}

function reasonFor(table: UpdatedTable): string {
  const isFull = lacksRoom(table)
  if (isFull === null)
    return 'Either their pages have no room for another version of the row, or an updated column is indexed'
  if (isFull) return 'Their pages have no room for another version of the row'
  const others = table.otherIndexes
  return `A column that they change is indexed${others.length === 0 ? '' : `, as by ${listed(others)}`}`
}

const SIDE_TABLE = 'move the columns that change often to a table of their own'

function remedyFor(table: UpdatedTable): string {
  const isFull = lacksRoom(table)
  if (isFull === false) return `Drop the index on the updated column if it is not needed, or ${SIDE_TABLE}`
  const wanted = fillfactorFor(table)
  // The room for a version of such a row would double the table.
  if (wanted === null) return `To avoid that, ${SIDE_TABLE}`
  if (table.fillfactor <= wanted) {
    return `VACUUM FULL ${table.table}; -- once, because older pages are full (it blocks the table; pg_repack does not); or ${SIDE_TABLE}`
  }
  return `ALTER TABLE ${table.table} SET (fillfactor = ${wanted}); -- for new pages, and VACUUM FULL or pg_repack for the others; or ${SIDE_TABLE}`
}

const SMALLEST_FILLFACTOR = 50

/** Returns the fillfactor that leaves room for one more row in a page; null if that is not worth its space. */
function fillfactorFor({ rowBytes }: UpdatedTable): number | null {
  if (rowBytes === null) return null
  const wanted = 100 - Math.ceil((100 * rowBytes) / PAGE)
  return wanted < SMALLEST_FILLFACTOR ? null : wanted
}
