import type { Session } from '../database/session.ts'
import { findingsOf, listed, statements, type Finding } from './finding.ts'

const { ok, warning, error: failure, unknown } = findingsOf('indexes')

/** An index on vectors that can be used. Names are quoted where needed, ready for a statement. */
export interface VectorIndex {
  readonly name: string
  readonly method: 'hnsw' | 'ivfflat'
}

/** An index that PostgreSQL does not use, or does not keep up to date. */
export interface InvalidIndex {
  readonly name: string
  readonly table: string
  readonly method: string
  readonly definition: string
  readonly isPartitioned: boolean
  /** Whether a constraint or a partitioned index owns it, so that it cannot be dropped by itself. */
  readonly isOwned: boolean
  /** Whether another session is at it right now. */
  readonly isInWork: boolean
  /** Partitions without this index; empty where it is no partitioned one. */
  readonly partitionsWithout: readonly PartitionWithout[]
}

interface PartitionWithout {
  readonly table: string
  /** Whether it has partitions itself, and so takes no concurrent build. */
  readonly isPartitioned: boolean
  /** A name for the index that it lacks, and that name with the schema. */
  readonly index: string
  readonly qualifiedIndex: string
}

/** A build that runs right now. Null for what this role may not see. */
interface Build {
  readonly processId: number
  readonly index: string | null
  readonly phase: string | null
}

/** The indexes of a database. */
export interface Indexes {
  readonly vector: readonly VectorIndex[]
  readonly invalid: readonly InvalidIndex[]
  readonly builds: readonly Build[]
}

/**
 * Reads the indexes that matter, and tells a build that runs from one that was cut off.
 *
 * A role without pg_read_all_stats sees that a build runs, and not of what. Locks are seen by everyone: a build that
 * lets writers go on holds a ShareUpdateExclusiveLock on the table, and a drop that does, on the index too.
 */
export function readIndexes(session: Session): Promise<Indexes> {
  return session.ask(`with build as (
      select p.pid, nullif(p.index_relid, 0) as index_relid, p.command, p.phase
      from pg_catalog.pg_stat_progress_create_index p where p.datname = current_database()
    ),
    held as (
      select l.pid, l.relation, l.mode from pg_catalog.pg_locks l
      where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid()
        and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
    ),
    index as (
      select i.indexrelid as oid, c.relname, format('%I.%I', n.nspname, c.relname) as name, i.indrelid as table_oid,
        i.indrelid::regclass::text as "table", a.amname as method, c.relkind = 'I' as partitioned,
        i.indisvalid and i.indisready and i.indislive as valid
      from pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_am a on a.oid = c.relam
      where c.relpersistence <> 't'
    )
    select json_build_object(
      'vector', (
        select coalesce(json_agg(json_build_object('name', name, 'method', method) order by name), '[]')
        from index where valid and not partitioned and method in ('hnsw', 'ivfflat')
      ),
      'invalid', (
        select coalesce(json_agg(json_build_object('name', name, 'table', "table", 'method', method,
          'definition', pg_get_indexdef(oid), 'isPartitioned', partitioned,
          'isOwned', exists (select from pg_catalog.pg_inherits where inhrelid = index.oid)
            or exists (select from pg_catalog.pg_constraint where conindid = index.oid),
          'isInWork', exists (
            select from build where index_relid = index.oid or (
              (index_relid is null or command like 'REINDEX%') and exists (
                select from held where held.pid = build.pid and relation = table_oid
                  and mode = 'ShareUpdateExclusiveLock'
              )
            )
          ) or exists (select from held where relation = index.oid and mode = 'ShareUpdateExclusiveLock'),
          'partitionsWithout', (
            select coalesce(json_agg(json_build_object('table', c.oid::regclass::text, 'isPartitioned', c.relkind = 'p',
              'index', quote_ident(left(c.relname, 31) || '_' || left(index.relname, 31)),
              'qualifiedIndex', format('%I.%I', n.nspname, left(c.relname, 31) || '_' || left(index.relname, 31))) order by c.relname), '[]')
            from pg_catalog.pg_inherits part
            join pg_catalog.pg_class c on c.oid = part.inhrelid
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where partitioned and part.inhparent = table_oid and not exists (
              select from pg_catalog.pg_inherits attached
              join pg_catalog.pg_index child on child.indexrelid = attached.inhrelid
              where attached.inhparent = index.oid and child.indrelid = part.inhrelid
            )
          )
        ) order by name), '[]')
        from index where not valid
      ),
      'builds', (
        select coalesce(json_agg(json_build_object('processId', build.pid, 'index', index.name, 'phase', build.phase)), '[]')
        from build left join index on index.oid = build.index_relid
      )
    ) as state`)
}

/** Invalid and half-built indexes; those that are being built right now are not called so. */
export function indexFindings({ vector, invalid, builds }: Indexes): Finding[] {
  const findings = [
    ...builds.map(({ processId, index, phase }) =>
      ok(
        `${index ?? 'an index'} is being built by the server process ${processId}${phase === null ? '' : ` (${phase})`}`,
      ),
    ),
    ...invalid.map(invalidFinding),
  ]
  if (invalid.length > 0) return findings
  const names = vector.map(({ name, method }) => `${name} (${method})`)
  return [
    ...findings,
    ok(names.length === 0 ? 'no index on vectors, and none that is invalid' : `all valid: ${listed(names)}`),
  ]
}

function invalidFinding(index: InvalidIndex): Finding {
  const { name, table, method, isInWork, isPartitioned, isOwned } = index
  const isVector = method === 'hnsw' || method === 'ivfflat'
  const what = `the ${method} index ${name} on ${table}`
  if (isInWork)
    return unknown(`${what} is not valid yet: another session is at it`, 'Run this again when it has ended.')
  const level = isVector ? failure : warning
  // REINDEX CONCURRENTLY builds beside the index and swaps the names at the end.
  const leftover = /_cc(?:new|old)\d*"?$/.exec(name)
  if (leftover !== null) {
    return warning(
      `${what} was left by a REINDEX CONCURRENTLY that was cut off, and only costs`,
      `DROP INDEX CONCURRENTLY ${name};`,
    )
  }
  if (isPartitioned) return level(...incomplete(what, index))
  return level(
    `${what} is invalid: no query uses it, and CREATE INDEX IF NOT EXISTS skips it`,
    isVector && !isOwned ? rebuilding(index) : `REINDEX INDEX CONCURRENTLY ${name};`,
  )
}

function rebuilding({ name, definition }: InvalidIndex): string {
  return `DROP INDEX CONCURRENTLY ${name};\n${definition.replace(/^CREATE (UNIQUE )?INDEX /, 'CREATE $1INDEX CONCURRENTLY ')};`
}

function incomplete(what: string, { name, method, definition, partitionsWithout }: InvalidIndex): [string, string] {
  if (partitionsWithout.length === 0) {
    return [
      `${what} is not valid, because that of a partition is not`,
      'Mend the indexes of its partitions first. Where it stays invalid, drop it and create it again.',
    ]
  }
  const body = definition.slice(definition.indexOf(` USING ${method} `))
  return [
    `${what} is not valid: partitions without it are ${listed(partitionsWithout.map(({ table }) => table))}`,
    statements(
      partitionsWithout.map(
        ({ table, isPartitioned, index, qualifiedIndex }) =>
          `CREATE INDEX ${isPartitioned ? '' : 'CONCURRENTLY '}${index} ON ${table}${body}; ` +
          `ALTER INDEX ${name} ATTACH PARTITION ${qualifiedIndex};`,
      ),
    ),
  ]
}
