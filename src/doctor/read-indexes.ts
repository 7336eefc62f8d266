import { isInSchema } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { isCopySql, isInWorkSql, isValidSql, runningBuildsSql } from '../indexes/look/validity.ts'
import { indexMethodsSql } from '../pgvector/index-methods.ts'

/** A usable vector index. Names are quoted if necessary, ready for a statement. */
export interface VectorIndex {
  readonly name: string
  readonly method: 'hnsw' | 'ivfflat'
}

/** An index that PostgreSQL does not use, or does not maintain. */
export interface InvalidIndex {
  readonly name: string
  readonly table: string
  readonly method: string
  readonly definition: string
  readonly isPartitioned: boolean
  /** Whether an interrupted REINDEX CONCURRENTLY left it behind. Such an index only costs writes and space. */
  readonly isLeftover: boolean
  /** Whether another session is currently working on it. */
  readonly isInWork: boolean
  /** Partitions without this index; empty for an index that is not partitioned. */
  readonly partitionsWithout: readonly PartitionWithout[]
}

interface PartitionWithout {
  readonly table: string
  /** Whether it has partitions itself, so that its index cannot be built concurrently. */
  readonly isPartitioned: boolean
  /** A name for the missing index, without and with the schema. */
  readonly index: string
  readonly qualifiedIndex: string
}

/** A running build. Null for what this role may not see. */
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

/** Reads the relevant indexes, and distinguishes a running build from an interrupted one. */
export function readIndexes(session: Session, schema?: string): Promise<Indexes> {
  return session.ask(`with ${runningBuildsSql},
    index as (
      select i.indexrelid as oid, c.relname, format('%I.%I', n.nspname, c.relname) as name, i.indrelid as table_oid,
        i.indrelid::regclass::text as "table", a.amname as method, c.relkind = 'I' as partitioned,
        ${isValidSql('i')} as valid
      from pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_am a on a.oid = c.relam
      where c.relpersistence <> 't' and ${isInSchema('n.nspname', schema)}
    )
    select json_build_object(
      'vector', (
        select coalesce(json_agg(json_build_object('name', name, 'method', method) order by name), '[]')
        from index where valid and not partitioned and method in ${indexMethodsSql}
      ),
      'invalid', (
        select coalesce(json_agg(json_build_object('name', name, 'table', "table", 'method', method,
          'definition', pg_get_indexdef(oid), 'isPartitioned', partitioned,
          'isLeftover', ${isCopySql('relname')}, 'isInWork', ${isInWorkSql('index.oid', 'index.table_oid')},
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
        select coalesce(json_agg(json_build_object('processId', pid, 'index', name, 'phase', phase)), '[]')
        from (
          select distinct build.pid, index.name, build.phase from build left join index on index.oid = build.index_oid
        ) as running
      )
    ) as state`)
}
