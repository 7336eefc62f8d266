import { literal } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'

/** A lock that a statement took and that is held until the transaction ends. */
export interface TakenLock {
  /** The name with its schema, quoted if necessary. */
  readonly relation: string
  readonly kind: 'table' | 'index' | 'sequence' | 'view' | 'other'
  /** PostgreSQL's name for it: AccessExclusiveLock, … */
  readonly mode: string
  /** Whether the rehearsal created the relation, so that no other session can use it. */
  readonly isNew: boolean
  /** What other sessions cannot do with the relation in the meantime. */
  readonly blocks: 'nothing' | 'writes' | 'reads and writes'
}

/** Returns the locks that were taken since the last call. */
export type LockWatcher = () => Promise<TakenLock[]>

const kinds = {
  r: 'table',
  p: 'table',
  f: 'table',
  i: 'index',
  I: 'index',
  S: 'sequence',
  v: 'view',
  m: 'view',
} as const

const blocked: Readonly<Record<string, TakenLock['blocks']>> = {
  ShareLock: 'writes',
  ShareRowExclusiveLock: 'writes',
  ExclusiveLock: 'writes',
  AccessExclusiveLock: 'reads and writes',
}

interface Relation {
  readonly oid: number
  readonly name: string | null
  readonly kind: string | null
}

interface NewLock extends Relation {
  readonly mode: string
  /** Identifies the relation and the mode. */
  readonly key: number
  readonly isOfUsers: boolean
}

// Temporary tables, TOAST tables and system catalogs are in schemas that begin with pg_.
const isOfUsers = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

const relationsSql = `
  select coalesce(json_agg(json_build_object('oid', c.oid::bigint, 'name', format('%I.%I', n.nspname, c.relname),
    'kind', c.relkind)), '[]') as state
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where ${isOfUsers}`

// As short as it can be: it is sent for each of them.
const keySql = `l.relation::bigint * 10 + array_position('{AccessShareLock,RowShareLock,RowExclusiveLock,
  ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}', l.mode)`

/**
 * Returns SQL for the locks of this session, except known ones: a transaction that holds thousands of locks would
 * otherwise describe all of them after each statement. The locks of this query itself are on catalogs.
 */
function newLocksSql(known: readonly number[]): string {
  return `
  with taken as materialized (
    select l.relation, l.mode from pg_catalog.pg_locks l
    where l.locktype = 'relation' and l.granted and l.pid = pg_backend_pid()
      and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
      -- a search by hash, which the planner finds in no join, and before PostgreSQL 15 in no negation
      and case when ${keySql} = any (${literal(`{${known.join(',')}}`)}::bigint[]) then false else true end
  )
  select coalesce(json_agg(json_build_object('oid', l.relation::bigint, 'mode', l.mode, 'kind', c.relkind,
    'key', ${keySql}, 'name', case when c.oid is not null then format('%I.%I', n.nspname, c.relname) end,
    'isOfUsers', c.oid is null or ${isOfUsers}) order by n.nspname, c.relname, l.mode), '[]') as state
  from taken l
  left join pg_catalog.pg_class c on c.oid = l.relation
  left join pg_catalog.pg_namespace n on n.oid = c.relnamespace`
}

/** Starts to watch the locks of a transaction, by comparing what it holds. */
export async function watchLocks(trx: Session): Promise<LockWatcher> {
  const existing = await trx.ask<Relation[]>(relationsSql)
  const old = new Set(existing.map(({ oid }) => oid))
  // A dropped table is still locked, but its name is no longer in the catalog.
  const known = new Map(existing.map((relation) => [relation.oid, relation]))
  const held = new Set<number>()
  return async () => {
    const taken = await trx.ask<NewLock[]>(newLocksSql([...held]))
    for (const { key } of taken) held.add(key)
    const ofUsers = taken.filter(({ isOfUsers: isWatched }) => isWatched)
    for (const lock of ofUsers) if (lock.kind !== null) known.set(lock.oid, lock)
    return ofUsers.flatMap(({ oid, mode }) => {
      const { name = null, kind = null } = known.get(oid) ?? {}
      if (name === null) return []
      const isNew = !old.has(oid)
      const blocks = isNew ? 'nothing' : (blocked[mode] ?? 'nothing')
      return [{ relation: name, kind: kinds[kind as keyof typeof kinds] ?? 'other', mode, isNew, blocks }]
    })
  }
}
