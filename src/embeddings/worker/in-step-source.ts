import { randomUUID } from 'node:crypto'

import { literal } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'
import { isSameKey, keyColumns, keyNames, keyParameters, type Key } from '../key-sql.ts'
import type { InStepState } from '../state.ts'
import { claimMarkedSql, claimMissingSql, fromNow, type Claiming } from './claim-sql.ts'
import { readSql, type ReadRow, type SideTables } from './read-sql.ts'
import type { Claim, WorkRow, WorkSource } from './work-source.ts'
import { writeVectors } from './write-vectors.ts'

/** A source of work whose claims have a lease. */
export interface LeasedSource extends WorkSource {
  /** Renews the leases of claims that are being worked on. */
  renew(ids: readonly string[]): Promise<void>
  /** Removes what deleted rows and killed workers left. */
  tidy(): Promise<void>
}

// Rows that others have claimed are passed over; more than this in a row are left for the next time.
const MOST_LOOKS = 10

/** The rows of an embedding that are stale or have no vector. */
export function inStepSource(
  session: Session,
  { target, tables, names }: InStepState,
  { lease, settle }: { readonly lease: number; readonly settle: number },
): LeasedSource {
  const side: SideTables = { ...tables, hash: names.hash }
  const { key } = target
  let after: Key | null = null

  const claimMissing = async (claiming: Claiming): Promise<readonly Key[]> => {
    for (let looks = 0; looks < MOST_LOOKS; looks++) {
      const found = await session.askAsCaller<{
        readonly seen: number
        readonly last: Key | null
        readonly keys: readonly Key[]
      }>(claimMissingSql(claiming, after))
      const isAtStart: boolean = after === null
      after = found.seen < claiming.limit ? null : found.last
      if (found.keys.length > 0 || (found.seen === 0 && isAtStart)) return found.keys
    }
    return []
  }

  const isGiven = isSameKey(key, keyNames(key, 'c'), keyNames(key, 'given'))
  const count = (changes: string, values: readonly unknown[]): Promise<number> =>
    session.askAsCaller(
      `with changed as (${changes} returning 1) select pg_catalog.to_json(pg_catalog.count(*)) as state from changed`,
      values,
    )

  // A statement of its own, after the one that deletes the marks.
  const release = async (claim: Claim, keys: readonly Key[]): Promise<void> => {
    if (keys.length === 0) return
    const { arrays, values } = keyParameters(key, keys)
    const given = `rows from (${arrays.join(', ')}) as given (${keyNames(key).join(', ')})`
    await count(`delete from ${tables.claims} as c using ${given} where ${isGiven} and ${isHeld(claim)}`, values)
  }

  // The number of the newest mark that was seen is noted, because a newer one is a new edit, which may succeed.
  const fail = async (claim: Claim, rows: readonly WorkRow[], due: string, error: string): Promise<void> => {
    const { arrays, values } = keyParameters(
      key,
      rows.map((row) => row.key),
    )
    const newest = rows.map(({ seen }) => String(seen.at(-1) ?? 0))
    const given = `rows from (${arrays.join(', ')}, pg_catalog.unnest($${arrays.length + 1}::pg_catalog.int8[])) as given (${keyNames(key).join(', ')}, seq)`
    const failed = `update ${tables.claims} as c set holder = null, due_at = ${due}, seq = greatest(c.seq, given.seq),
        attempts = c.attempts operator(pg_catalog.+) 1, error = ${literal(error.slice(0, LONGEST_ERROR))}
      from ${given} where ${isGiven} and ${isHeld(claim)} returning ${keyNames(key, 'c').join(', ')}`
    if (due !== NEVER) {
      await session.askAsCaller(
        `with failed as (${failed}) select pg_catalog.to_json(pg_catalog.count(*)) as state from failed`,
        [...values, newest],
      )
      return
    }
    // The claim stays as a dead letter, so the marks can go: many of them at the head would slow down every claim.
    await session.askAsCaller(
      `with failed as (${failed}),
      gone as (
        delete from ${tables.marks} as m using failed
        where ${isSameKey(key, keyNames(key, 'm'), keyNames(key, 'failed'))}
          and m.seq operator(pg_catalog.=) any ($${arrays.length + 2}::pg_catalog.int8[])
      )
      select pg_catalog.to_json(pg_catalog.count(*)) as state from failed`,
      [...values, newest, rows.flatMap(({ seen }) => seen.map(String))],
    )
  }

  return {
    claim: async (limit) => {
      const claiming: Claiming = { target, tables, id: randomUUID(), limit, lease, settle }
      const marked = await session.askAsCaller<readonly Key[]>(claimMarkedSql(claiming))
      const missing = marked.length < limit ? await claimMissing({ ...claiming, limit: limit - marked.length }) : []
      const keys = [...marked, ...missing]
      return keys.length === 0 ? null : { id: claiming.id, keys }
    },
    read: async (claim, keys, bytes) => {
      const parameters = keyParameters(key, keys)
      const found = await session.askAsCaller<readonly ReadRow[]>(
        readSql(target, side, parameters, bytes),
        parameters.values,
      )
      const settled = found.filter((each) => !isWork(each))
      const marks = settled.flatMap(({ seen }) => seen.map(String))
      if (marks.length > 0) {
        await count(`delete from ${tables.marks} as m where m.seq operator(pg_catalog.=) any ($1::pg_catalog.int8[])`, [
          marks,
        ])
      }
      await release(
        claim,
        settled.flatMap(({ place }) => keys.slice(place - 1, place)),
      )
      const rows = found
        .filter(isWork)
        .flatMap(({ place, row, hash, seen, rounds }) =>
          keys.slice(place - 1, place).map((each) => ({ key: each, row: row ?? {}, hash: hash ?? '', seen, rounds })),
        )
      return { rows, rest: keys.slice(found.length) }
    },
    write: (_, made) => writeVectors(session, target, side, made),
    release,
    postpone: (claim, rows, milliseconds, error) => fail(claim, rows, fromNow(milliseconds), error),
    giveUp: (claim, rows, error) => fail(claim, rows, NEVER, error),
    hasMore: () =>
      session.askAsCaller<boolean>(`select pg_catalog.to_json(
        exists (select from ${tables.marks})
        or exists (select from ${tables.claims} as c where c.due_at operator(pg_catalog.<) 'infinity')
      ) as state`),
    renew: async (ids) => {
      await count(
        `update ${tables.claims} as c set due_at = ${fromNow(lease)} where c.holder operator(pg_catalog.=) any ($1::pg_catalog.uuid[])`,
        [ids],
      )
    },
    tidy: async () => {
      const isMarked = `exists (select from ${tables.marks} as m where ${isSameKey(key, keyNames(key, 'm'), keyNames(key, 'c'))})`
      const isRow = `exists (select from ${target.from} as ${target.alias}
        where ${isSameKey(key, keyColumns(key, target.alias), keyNames(key, 'c'))})`
      const isOver = `c.due_at operator(pg_catalog.<=) pg_catalog.statement_timestamp()`
      await count(
        `delete from ${tables.claims} as c where not ${isMarked}
          and ((c.holder is not null and ${isOver}) or (c.holder is null and not ${isRow}))`,
        [],
      )
    },
  }
}

const NEVER = `'infinity'`
const LONGEST_ERROR = 1000

function isWork({ row, isInStep, seen, hasVector }: ReadRow): boolean {
  return row !== null && !isInStep && (seen.length > 0 || !hasVector)
}

function isHeld({ id }: Claim): string {
  return `c.holder operator(pg_catalog.=) ${literal(id)}::pg_catalog.uuid`
}
