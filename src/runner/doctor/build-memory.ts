import { isAtLeast } from '../../extension/version.ts'
import type { PgvectorState } from '../../extension/state.ts'
import { ask, type Database } from '../../queryable.ts'
import { DEFAULT_M, GRAPH_MEMORY_SINCE, graphMemory, rowsInMemory, type Graph } from '../../vectors/graph-memory.ts'
import { findingsOf, type Finding } from './finding.ts'

const { ok, warning, unknown } = findingsOf('settings')

/** The settings that decide how an index is built, in bytes. */
export interface BuildSettings {
  readonly maintenanceMemory: number
  readonly maintenanceWorkers: number
  /** A table below this size is read by one process. */
  readonly parallelTableSize: number
  readonly sharedMemory: string
  /** The HNSW indexes there are, and those that vector columns without one might get. */
  readonly graphs: readonly TableGraph[]
}

/** An HNSW graph that would be built. */
export interface TableGraph {
  readonly table: string
  /** Null for a column that has no HNSW index. */
  readonly index: string | null
  readonly column: string
  readonly type: 'vector' | 'halfvec' | 'bit'
  readonly dimensions: number
  readonly m: number
  /** As the last ANALYZE or VACUUM saw it, without those that are null. */
  readonly rows: number
  readonly tableSize: number
}

/** Reads settings and sizes without touching a table: they are estimates of the last ANALYZE. */
export function readBuildSettings(db: Database): Promise<BuildSettings> {
  return ask(
    db,
    `with extension_type as (
      select t.oid, t.typname from pg_catalog.pg_type t
      join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_type'::regclass and d.objid = t.oid
        and d.refclassid = 'pg_catalog.pg_extension'::regclass and d.deptype = 'e'
      join pg_catalog.pg_extension x on x.oid = d.refobjid and x.extname = 'vector'
      where t.typname in ('vector', 'halfvec')
    ),
    indexed as (
      select i.indrelid as table_oid, i.indexrelid::regclass::text as index, ia.attname as index_column,
        (select a.attname from pg_catalog.pg_attribute a where a.attrelid = i.indrelid and a.attnum = i.indkey[0] and a.attnum > 0) as table_column,
        ia.atttypid as type_oid, ia.atttypmod as dimensions,
        coalesce((select o.option_value::int from pg_options_to_table(c.reloptions) o where o.option_name = 'm'), ${DEFAULT_M}) as m
      from pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid and c.relkind = 'i'
      join pg_catalog.pg_am am on am.oid = c.relam and am.amname = 'hnsw'
      join pg_catalog.pg_attribute ia on ia.attrelid = i.indexrelid and ia.attnum = 1
    ),
    bare as (
      select c.oid as table_oid, null::text as index, a.attname as index_column, a.attname as table_column,
        a.atttypid as type_oid, a.atttypmod as dimensions, ${DEFAULT_M} as m
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'm')
      join extension_type on extension_type.oid = a.atttypid
      where a.attnum > 0 and not a.attisdropped and not exists (
        select from indexed join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass
          and d.objid = indexed.index::regclass and d.refobjid = c.oid and d.refobjsubid = a.attnum
        where indexed.table_oid = c.oid
      )
    ),
    graph as (
      select g.table_oid::regclass::text as "table", g.index, coalesce(g.table_column, g.index_column) as "column",
        t.typname as type, g.dimensions, g.m,
        floor(greatest(c.reltuples, 0) * (1 - coalesce((
          select s.null_frac from pg_catalog.pg_stats s
          where s.schemaname = n.nspname and s.tablename = c.relname and s.attname = g.table_column and not s.inherited
        ), 0)))::bigint as rows,
        c.relpages::bigint * current_setting('block_size')::int as "tableSize"
      from (select * from indexed union all select * from bare) as g
      join pg_catalog.pg_class c on c.oid = g.table_oid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_type t on t.oid = g.type_oid
      where t.typname in ('vector', 'halfvec', 'bit') and g.dimensions > 0
    )
    select json_build_object(
      'maintenanceMemory', pg_size_bytes(current_setting('maintenance_work_mem')),
      'maintenanceWorkers', current_setting('max_parallel_maintenance_workers')::int,
      'parallelTableSize', pg_size_bytes(current_setting('min_parallel_table_scan_size')),
      'sharedMemory', current_setting('dynamic_shared_memory_type'),
      'graphs', (select coalesce(json_agg(to_json(graph) order by "table", "column"), '[]') from graph)
    ) as state`,
  )
}

const MEBIBYTE = 1024 * 1024

/** Below this much maintenance_work_mem PostgreSQL gives a build no workers (plan_create_index_workers). */
const PARALLEL_MEMORY = 64 * MEBIBYTE

/** What Docker gives a container for /dev/shm unless told otherwise. */
const DOCKER_SHARED_MEMORY = 64 * MEBIBYTE

type Facts = Pick<PgvectorState, 'installed' | 'server' | 'provider'>

/** Whether the builds that may come fit into maintenance_work_mem. */
export function settingsFindings({ installed, server, provider }: Facts, settings: BuildSettings): Finding[] {
  const { maintenanceMemory: memory, maintenanceWorkers: workers, sharedMemory, graphs } = settings
  const summary = `maintenance_work_mem ${size(memory)}, max_parallel_maintenance_workers ${workers}`
  if (installed === null || !isAtLeast(installed.version, GRAPH_MEMORY_SINCE)) return [ok(summary)]
  const needs = graphs
    .map((each) => ({ each, shape: shapeOf(each, settings, server.major) }))
    .map(({ each, shape }) => ({ each, shape, need: graphMemory(each.rows, shape) }))
    .filter(({ need }) => need > memory)
    .toSorted((left, right) => right.need - left.need)
  const [largest] = needs
  const wanted = largest === undefined ? memory : largest.need
  const isDocker =
    provider === 'stock' &&
    sharedMemory === 'posix' &&
    workers > 0 &&
    graphs.length > 0 &&
    wanted > DOCKER_SHARED_MEMORY
  const container = isDocker
    ? [
        unknown(
          `a parallel build takes its memory from /dev/shm, whose size SQL does not tell; in Docker it is ${size(DOCKER_SHARED_MEMORY)} by default`,
          `In Docker: --shm-size=${mebibytes(wanted) + DOCKER_SHARED_MEMORY / MEBIBYTE}m`,
        ),
      ]
    : []
  if (largest === undefined) return [ok(`${summary}: enough for every HNSW index here`), ...container]
  const { each, shape, need } = largest
  const others = needs.length === 1 ? '' : `; ${needs.length - 1} more would not fit either`
  return [
    warning(
      `${summary}: ${describe(each)} needs about ${size(need)} to be built in memory, and ` +
        `${rowsInMemory(memory, shape).toLocaleString('en')} of its ${each.rows.toLocaleString('en')} rows fit${others}`,
      `SET maintenance_work_mem = '${mebibytes(need)}MB'; -- before the next build or reindex, if the server has the memory`,
    ),
    ...container,
  ]
}

function shapeOf(graph: TableGraph, settings: BuildSettings, major: number): Graph {
  const { maintenanceMemory, maintenanceWorkers, parallelTableSize } = settings
  const isParallel =
    maintenanceWorkers > 0 && graph.tableSize >= parallelTableSize && maintenanceMemory >= PARALLEL_MEMORY
  const { dimensions, m } = graph
  return { type: graph.type, dimensions, m, isParallel, major }
}

function describe({ index, table, column, type, dimensions, m }: TableGraph): string {
  const what = index === null ? `an HNSW index on ${table}.${column}` : `the index ${index} on ${table}`
  return `${what} (${type}(${dimensions}), m = ${m})`
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / MEBIBYTE)
}

function size(bytes: number): string {
  const count = bytes / MEBIBYTE
  return count >= 1024 ? `${(count / 1024).toFixed(1)} GB` : `${Math.ceil(count)} MB`
}
