import { parseSchemaOptions, type SchemaOptions } from '../core/schema-options.ts'
import { isInSchema } from '../core/sql.ts'
import type { VectorType } from '../pgvector/vector-types.ts'
import { majorSql } from '../database/server-facts.ts'
import { sessionOf, type Database, type Session } from '../database/session.ts'
import { indexMethodsSql, type IndexMethod } from '../pgvector/index-methods.ts'
import { DEFAULT_M } from '../pgvector/graph-memory.ts'
import { isCached, memoryToBuild, type GraphMemory } from './decide/in-memory.ts'
import { rowsWithValueSql } from './look/rows-with-value.ts'
import { serverSettingsSql, type ServerSettings } from './look/settings.ts'
import { isCopySql, isInWorkSql, isValidSql, runningBuildsSql } from './look/validity.ts'

/** A vector index of a database. */
export interface ListedIndex {
  /** With its schema, quoted if necessary, ready for use in a statement. */
  readonly name: string
  readonly table: string
  readonly method: IndexMethod
  readonly definition: string
  /** False while it is being built, and after an interrupted build. No query uses it then. */
  readonly isValid: boolean
  /** Whether another session is currently building, rebuilding or dropping it. */
  readonly isInWork: boolean
  /** Whether it is a partitioned index, which stores nothing itself. The indexes of its partitions do. */
  readonly isPartitioned: boolean
  /** Whether an interrupted REINDEX CONCURRENTLY left it behind. Such an index only costs writes and space. */
  readonly isLeftover: boolean
  readonly bytes: number
  /** Whether it fits completely into shared_buffers, where searches are fast. */
  readonly isInMemory: boolean
  /** The number of scans since the statistics were reset. */
  readonly scans: number
  /** The rows of the table, as PostgreSQL estimates; null if it was never analyzed. */
  readonly rows: number | null
  /** The maintenance_work_mem that a fast rebuild needs; null if unknown (ivfflat, sparsevec). */
  readonly buildMemory: number | null
  /** Whether the server's maintenance_work_mem is large enough. */
  readonly isQuickToRebuild: boolean | null
}

type Answer = {
  readonly version: string | null
  readonly major: number
  readonly settings: ServerSettings
  readonly indexes: readonly (Omit<ListedIndex, 'isInMemory' | 'buildMemory' | 'isQuickToRebuild'> & Shape)[]
}

/**
 * Lists every vector index in this database: its definition and size, and whether it is valid, used, and fits into
 * memory.
 *
 * @example const broken = (await listVectorIndexes(knex)).filter(({ isValid, isInWork }) => !isValid && !isInWork)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS or UNSUPPORTED_DATABASE.
 */
export async function listVectorIndexes(db: Database, options: SchemaOptions = {}): Promise<ListedIndex[]> {
  const { schema } = parseSchemaOptions(options)
  return readListedIndexes(sessionOf(db), schema)
}

/** Lists them in a function that has a session. */
export async function readListedIndexes(session: Session, schema?: string): Promise<ListedIndex[]> {
  const { indexes, ...server } = await session.ask<Answer>(listSql(schema))
  return indexes.map(({ type, dimensions, m, tableSize, rowsWithValue, ...index }) => {
    const memory = memoryOf(index, { type, dimensions, m, tableSize, rowsWithValue }, server)
    return {
      ...index,
      isInMemory: isCached(index.bytes, server.settings),
      buildMemory: memory?.needed ?? null,
      isQuickToRebuild: memory?.fits ?? null,
    }
  })
}

/** The inputs that determine how much memory a build of the index needs. */
interface Shape {
  readonly type: VectorType | null
  readonly dimensions: number | null
  readonly m: number | null
  readonly tableSize: number
  readonly rowsWithValue: number
}

function memoryOf(
  { method, rows }: Pick<ListedIndex, 'method' | 'rows'>,
  { type, dimensions, m, tableSize, rowsWithValue }: Shape,
  { version, major, settings }: Omit<Answer, 'indexes'>,
): GraphMemory | null {
  if (method !== 'hnsw' || type === null || type === 'sparsevec' || dimensions === null || rows === null) return null
  const graph = { type, dimensions, m: m ?? DEFAULT_M, rows: rowsWithValue, tableSize }
  return memoryToBuild(graph, settings, { major, pgvector: version ?? '' })
}

const listSql = (schema: string | undefined): string => `
  with ${runningBuildsSql}
  select json_build_object(
    'version', (select extversion from pg_catalog.pg_extension where extname = 'vector'),
    'major', ${majorSql},
    'settings', ${serverSettingsSql},
    'indexes', (
      select coalesce(json_agg(json_build_object(
        'name', format('%I.%I', n.nspname, c.relname),
        'table', format('%I.%I', tn.nspname, t.relname),
        'method', am.amname,
        'definition', pg_get_indexdef(c.oid),
        'isValid', ${isValidSql('x')},
        'isInWork', ${isInWorkSql('c.oid', 't.oid')},
        'isLeftover', not ${isValidSql('x')} and ${isCopySql('c.relname')},
        'isPartitioned', c.relkind = 'I',
        'bytes', case when c.relkind = 'i' then pg_relation_size(c.oid) else 0 end,
        'scans', coalesce(s.idx_scan, 0),
        'rows', case when t.reltuples >= 0 and (t.reltuples > 0 or t.relpages > 0 or pg_relation_size(t.oid) = 0)
          then t.reltuples::bigint end,
        'rowsWithValue', ${rowsWithValueSql({ rows: 't.reltuples', schema: 'tn.nspname', table: 't.relname', column: 'key.attname' })},
        'tableSize', greatest(t.relpages, 0)::bigint * current_setting('block_size')::int,
        'type', type.typname,
        'dimensions', nullif(a.atttypmod, -1),
        'm', (select option_value::int from pg_options_to_table(c.reloptions) where option_name = 'm')
      ) order by n.nspname, c.relname), '[]')
      from pg_catalog.pg_class c
      join pg_catalog.pg_am am on am.oid = c.relam and am.amname in ${indexMethodsSql}
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_index x on x.indexrelid = c.oid
      join pg_catalog.pg_class t on t.oid = x.indrelid
      join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = 1
      join pg_catalog.pg_type type on type.oid = a.atttypid
      left join pg_catalog.pg_attribute key on key.attrelid = t.oid and key.attnum = x.indkey[0] and key.attnum > 0
      left join pg_catalog.pg_stat_all_indexes s on s.indexrelid = c.oid
      where c.relkind in ('i', 'I') and c.relpersistence <> 't' and ${isInSchema('n.nspname', schema)}
    )
  ) as state`
