import { randomUUID } from 'node:crypto'

import type { Session } from '../database/session.ts'
import { isAfterKey, keyAsJson, keyColumns, keyNames, keyParameters, keyText, type Key } from '../embeddings/key-sql.ts'
import type { VectorTarget } from '../embeddings/target.ts'
import { readSql, type ReadRow } from '../embeddings/worker/read-sql.ts'
import type { WorkSource } from '../embeddings/worker/work-source.ts'
import { writeVectors } from '../embeddings/worker/write-vectors.ts'
import { withoutVector } from './without-vector.ts'

/** The rows of a column without a vector, claimed within this process only. */
export interface ColumnSource extends WorkSource {
  /** How many rows the model returned null for. */
  leftOut(): number
  /** How many rows changed on every attempt. */
  unsettled(): number
}

// A row that changes while the model works on it is tried so many times.
const MOST_CHANGES = 3

/** Goes through the rows in the order of their key, again and again, until a pass finds nothing to do. */
export function columnSource(session: Session, target: VectorTarget): ColumnSource {
  const { key, alias, from } = target
  const inWork = new Set<string>()
  const leftOut = new Set<string>()
  const postponed = new Set<string>()
  const changes = new Map<string, number>()
  let after: Key | null = null

  const isFree = (each: Key): boolean => {
    const text = keyText(each)
    return !inWork.has(text) && !leftOut.has(text) && !postponed.has(text)
  }
  const readKeys = (limit: number): Promise<readonly Key[]> => {
    const columns = keyColumns(key, alias)
    return session.askAsCaller(`select coalesce(pg_catalog.json_agg(${keyAsJson(keyNames(key))}), '[]') as state from (
        select ${columns.map((name, place) => `${name} as key_${place + 1}`).join(', ')} from ${from} as ${alias}
        where ${withoutVector(target)} ${after === null ? '' : `and ${isAfterKey(key, columns, after)}`}
        order by ${columns.join(', ')} limit ${limit}
      ) as batch`)
  }
  const release = (keys: readonly Key[]): void => {
    for (const each of keys) inWork.delete(keyText(each))
  }
  return {
    claim: async (limit) => {
      // A pass that began elsewhere than at the start is followed by a whole one.
      for (let isWhole = after === null; ;) {
        const found = await readKeys(limit)
        after = found.length < limit ? null : (found.at(-1) ?? null)
        const keys = found.filter(isFree)
        for (const each of keys) inWork.add(keyText(each))
        if (keys.length > 0) return { id: randomUUID(), keys }
        if (after === null && isWhole) return null
        if (after === null) isWhole = true
      }
    },
    read: async (_, keys, bytes) => {
      const parameters = keyParameters(key, keys)
      const found = await session.askAsCaller<readonly ReadRow[]>(readSql(target, null, parameters, bytes), [
        ...parameters.values,
      ])
      const keyOf = ({ place }: ReadRow): readonly Key[] => keys.slice(place - 1, place)
      release(found.filter((each) => !isWork(each)).flatMap(keyOf))
      const rows = found
        .filter(isWork)
        .flatMap((each) =>
          keyOf(each).map((own) => ({ key: own, row: each.row ?? {}, hash: each.hash ?? '', seen: [], rounds: 0 })),
        )
      return { rows, rest: keys.slice(found.length) }
    },
    write: async (_, made) => {
      const written = await writeVectors(session, target, null, made)
      for (const [place, row] of made.entries()) {
        const text = keyText(row.key)
        if (written.results[place] !== 'changed') continue
        const count = (changes.get(text) ?? 0) + 1
        changes.set(text, count)
        if (count >= MOST_CHANGES) postponed.add(text)
      }
      return written
    },
    release: async (_, keys) => release(keys),
    postpone: async (_, rows) => {
      release(rows.map((row) => row.key))
      for (const row of rows) postponed.add(keyText(row.key))
    },
    giveUp: async (_, rows) => {
      release(rows.map((row) => row.key))
      for (const row of rows) leftOut.add(keyText(row.key))
    },
    hasMore: () => Promise.resolve(false),
    leftOut: () => leftOut.size,
    unsettled: () => [...changes.values()].filter((count) => count >= MOST_CHANGES).length,
  }
}

function isWork({ row, hasVector }: ReadRow): boolean {
  return row !== null && !hasVector
}
