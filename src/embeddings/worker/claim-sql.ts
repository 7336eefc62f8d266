import { identifier, literal } from '../../core/sql.ts'
import { isAfterKey, isSameKey, keyAsJson, keyColumns, keyNames, type Key } from '../key-sql.ts'
import type { VectorTarget } from '../target.ts'

/** What a claim takes, and for how long. */
export interface Claiming {
  readonly target: VectorTarget
  readonly tables: { readonly marks: string; readonly claims: string }
  /** The name of the claim. */
  readonly id: string
  readonly limit: number
  /** Milliseconds. */
  readonly lease: number
  /** Milliseconds that a mark has to be old. */
  readonly settle: number
}

/** SQL: the moment that is so many milliseconds from now. */
export function fromNow(milliseconds: number): string {
  return `(pg_catalog.statement_timestamp() operator(pg_catalog.+) pg_catalog.make_interval(secs => ${milliseconds / 1000}))`
}

/**
 * Returns the statement that claims the oldest marked rows.
 *
 * The claims are looked up row by row in the order of the marks, so that its cost does not depend on how many there are.
 * A row of someone else's claim is skipped unless its lease is over. A failed row is skipped until it is due, or until
 * it has a newer mark than the one it failed at.
 */
export function claimMarkedSql(claiming: Claiming): string {
  const { target, tables, limit, settle } = claiming
  const key = keyNames(target.key).join(', ')
  const isClaimed = isSameKey(target.key, keyNames(target.key, 'c'), keyNames(target.key, 'm'))
  return `with head as (
      select m.seq, m.marked_at, ${keyNames(target.key, 'm').join(', ')} from ${tables.marks} as m
      where coalesce((
        select ${isDueSql('c')} or (c.holder is null and c.seq operator(pg_catalog.<) m.seq)
        from ${tables.claims} as c where ${isClaimed}
      ), true)
      order by m.seq limit ${limit} for update of m skip locked
    ),
    chosen as (
      select ${key}, pg_catalog.max(seq) as seq from head
      where marked_at operator(pg_catalog.<=) ${fromNow(-settle)} group by ${key}
    ),
    ${claimedSql(claiming)}
    select coalesce(pg_catalog.json_agg(${keyAsJson(keyNames(target.key))}), '[]') as state from claimed`
}

/** Returns the statement that claims rows without a vector, from a key on. */
export function claimMissingSql(claiming: Claiming, after: Key | null): string {
  const { target, tables, limit } = claiming
  const { from, alias, key, column } = target
  const columns = keyColumns(key, alias)
  const isClaimed = isSameKey(key, keyNames(key, 'c'), columns)
  return `with candidate as (
      select ${columns.map((name, place) => `${name} as key_${place + 1}`).join(', ')}, 0::pg_catalog.int8 as seq
      from ${from} as ${alias}
      where ${alias}.${identifier(column.name)} is null ${after === null ? '' : `and ${isAfterKey(key, columns, after)}`}
        and coalesce((select ${isDueSql('c')} from ${tables.claims} as c where ${isClaimed}), true)
      order by ${columns.join(', ')} limit ${limit}
    ),
    chosen as (select * from candidate),
    ${claimedSql(claiming)}
    select pg_catalog.json_build_object(
      'seen', (select pg_catalog.count(*) from candidate),
      'last', (select ${keyAsJson(keyNames(key))} from candidate order by ${descending(keyNames(key))} limit 1),
      'keys', (select coalesce(pg_catalog.json_agg(${keyAsJson(keyNames(key))}), '[]') from claimed)
    ) as state`
}

function descending(names: readonly string[]): string {
  return names.map((name) => `${name} desc`).join(', ')
}

function isDueSql(claim: string): string {
  return `${claim}.due_at operator(pg_catalog.<=) pg_catalog.statement_timestamp()`
}

// The order prevents two workers from waiting for each other.
function claimedSql({ target, tables, id, lease }: Claiming): string {
  const key = keyNames(target.key).join(', ')
  const isNew = `c.seq operator(pg_catalog.<) excluded.seq`
  return `claimed as (
      insert into ${tables.claims} as c (${key}, due_at, attempts, holder, seq)
      select ${key}, ${fromNow(lease)}, 0, ${literal(id)}::pg_catalog.uuid, seq from chosen order by ${key}
      on conflict (${key}) do update set due_at = excluded.due_at, holder = excluded.holder, seq = excluded.seq,
        attempts = case when ${isNew} then 0 else c.attempts end
      where ${isDueSql('c')} or (c.holder is null and ${isNew})
      returning ${keyNames(target.key, 'c').join(', ')}
    )`
}
