import { readOnlySql } from '../../database/read-only-sql.ts'
import { canCheckConnectionSql, majorSql } from '../../database/server-facts.ts'
import type { Session } from '../../database/session.ts'
import { isCitusSql } from '../../database/topology.ts'
import { literal } from '../../core/sql.ts'
import { availableSql } from '../../extension/too-old.ts'
import { countRows } from './count-rows.ts'
import { emptyPartitions } from './empty-partitions.ts'
import type { BuildCosts, CatalogFacts, IndexFacts } from './facts.ts'
import { measureValueBytes } from './value-bytes.ts'
import { sameConditions } from './same-conditions.ts'
import { hidesRowsSql, rightsSql, tableNumberSql } from '../../columns/table-rights.ts'
import { readServerLoad } from './server-load.ts'
import { serverSettingsSql } from './settings.ts'
import { existingIndexesSql } from './existing-indexes.ts'
import { runningBuildsSql } from './validity.ts'
import type { VectorIndex } from '../vector-index.ts'

/**
 * Reads the input of {@link planFromFacts}, and writes nothing. It reads the catalog in one query, the processors and
 * their use if the table is large, and the rows, which it counts if that is fast.
 *
 * @throws {PgvectorMigrationError} INDEX_BUILD_FAILED if the condition of a partial index fails.
 */
export async function readIndexFacts(session: Session, index: VectorIndex): Promise<IndexFacts> {
  const facts = await readCatalogFacts(session, index)
  return { ...facts, ...(await readBuildCosts(session, index, facts, [])) }
}

/** Reads whether a build has to be planned, without reading rows. */
export async function readCatalogFacts(session: Session, index: VectorIndex): Promise<CatalogFacts> {
  const answer = await session.ask<Omit<CatalogFacts, 'isInTransaction' | 'sameConditions'>>(factsSql(index))
  const conditions = await sameConditions(session, index, answer)
  return { ...answer, isInTransaction: session.isInTransaction, sameConditions: conditions }
}

/** Reads the costs of a planned build. It counts or samples rows, and looks up the processors, if they matter. */
export async function readBuildCosts(
  session: Session,
  index: VectorIndex,
  facts: CatalogFacts,
  own: readonly number[],
): Promise<BuildCosts> {
  const rows = await countRows(session, index, facts)
  return {
    ...(await readServerLoad(session, facts.table?.totalBytes ?? 0, own)),
    rows,
    valueBytes: await measureValueBytes(session, index, { ...facts, rows }),
    emptyPartitions: await emptyPartitions(session, index, facts),
  }
}

function factsSql({ column, name, storage }: VectorIndex): string {
  return `
    with extension as (
      select e.extversion as version, e.extnamespace as namespace, n.nspname as schema
      from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'
    ),
    relation as (
      select c.oid, n.nspname as schema, c.relname as name, c.relnamespace, c.relowner, c.relkind, c.relpersistence, c.reltuples,
        c.relpages, c.reloptions
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.oid = ${tableNumberSql(column)} and c.relkind not in ('i', 'I')
    ),
    attribute as (
      select a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) as type, t.typname,
        t.typnamespace = coalesce((select namespace from extension), 0) as is_extension_type, a.atttypmod
      from relation join pg_catalog.pg_attribute a on a.attrelid = relation.oid
      join pg_catalog.pg_type t on t.oid = a.atttypid
      where a.attname = ${literal(column.name)} and a.attnum > 0 and not a.attisdropped
    ),
    ${runningBuildsSql}
    select json_build_object(
      'server', json_build_object('version', current_setting('server_version'),
        'major', ${majorSql}),
      'canCheckConnection', ${canCheckConnectionSql},
      'readOnly', ${readOnlySql},
      'isCitus', ${isCitusSql},
      'extension', (select json_build_object('version', version, 'schema', schema,
        'available', ${availableSql('version', storage.operatorClass.since)}) from extension),
      'settings', ${serverSettingsSql},
      'table', (select ${tableSql} from relation),
      'column', (
        select json_build_object('quoted', quote_ident(attname), 'isExtensionType', is_extension_type,
          'type', typname || coalesce('(' || nullif(atttypmod, -1) || ')', ''))
        from attribute
      ),
      'indexes', (${existingIndexesSql(literal(name))}),
      'namesake', (
        select coalesce(pg_get_indexdef(x.indexrelid), 'the relation ' || quote_ident(c.relname))
        from relation join pg_catalog.pg_class c on c.relnamespace = relation.relnamespace
        left join pg_catalog.pg_index x on x.indexrelid = c.oid
        where c.relname = ${literal(name)} and x.indrelid is distinct from relation.oid
      ),
      'builds', (
        select coalesce(json_agg(json_build_object('processId', pid, 'index', index_oid::bigint)), '[]')
        from (select distinct pid, index_oid from relation join build on build.table_oid = relation.oid) as running
      )
    ) as state`
}

const kinds = `case relkind when 'r' then 'ordinary' when 'p' then 'partitioned' when 'm' then 'materialized view'
  when 'f' then 'foreign' else 'other' end`

// The pg_attribute row of a system column is written when the table is created and never again, so it shows the
// transaction that created the table. The lock is checked too, because the transaction ID could have been reused.
const isMadeHere = `
  pg_current_xact_id_if_assigned() is not null
  and (
    select age(a.xmin) <= age((pg_current_xact_id_if_assigned()::text::bigint % 4294967296)::text::xid)
    from pg_catalog.pg_attribute a where a.attrelid = relation.oid and a.attname = 'ctid'
  )
  and exists (
    select from pg_catalog.pg_locks l
    where l.pid = pg_backend_pid() and l.relation = relation.oid and l.mode = 'AccessExclusiveLock' and l.granted
  )`

const tableSql = `json_build_object('oid', oid::bigint, 'schema', schema, 'name', name,
    'rights', ${rightsSql('relation')}, 'kind', ${kinds},
    'isTemporary', relpersistence = 't',
    'isMadeHere', coalesce(${isMadeHere}, false),
    'isAnalysed', reltuples >= 0,
    'heapBytes', case when relkind in ('r', 'm') then pg_relation_size(oid) else 0 end,
    'totalBytes', case when relkind in ('r', 'm') then pg_table_size(oid) else 0 end,
    'hidesRows', ${hidesRowsSql('oid', 'relnamespace')},
    'expectedRows', case when reltuples >= 0 and relpages > 0 then
      round(reltuples * (pg_relation_size(oid) / current_setting('block_size')::int) / relpages) end,
    'parallelWorkers', (
      select option_value::int from pg_options_to_table(reloptions) where option_name = 'parallel_workers'
    ),
    'partitions', (
      select coalesce(json_agg(json_build_object('schema', n.nspname, 'name', c.relname,
        'isForeign', c.relkind = 'f') order by c.oid), '[]')
      from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where i.inhparent = relation.oid and relation.relkind = 'p'
    ))`
