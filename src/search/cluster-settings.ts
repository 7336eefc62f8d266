import { literal } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { topologyOf } from '../database/topology.ts'
import type { Wanted } from './settings.ts'

/** Whether the shards of a cluster search, where set_config() has no effect. */
export async function areShardsSearched(session: Session): Promise<boolean> {
  return (await topologyOf(session)).kind === 'coordinator'
}

/**
 * Sets them for the rest of the transaction, on the coordinator and on every node that takes part in it: Citus passes on a
 * literal SET LOCAL if citus.propagate_set_commands is set. Returns what they were.
 */
export async function setOnShards(trx: Session, wanted: readonly Wanted[]): Promise<Wanted[]> {
  if (wanted.length === 0) return []
  const names = wanted.map(({ name }) => literal(name)).join(', ')
  const before = await trx.ask<Readonly<Record<string, string | null>>>(
    `select (select json_object_agg(name, current_setting(name, true)) from unnest(array[${names}]) as wanted (name)) as state`,
  )
  await trx.send([
    `set local citus.propagate_set_commands to 'local'`,
    ...wanted.map(({ name, value, atLeast = false }) => {
      const larger = atLeast ? String(Math.max(Number(value), Number(before[name] ?? 0))) : value
      return `set local ${name} to ${literal(larger)}`
    }),
  ])
  // A setting of a library that is not loaded yet is unknown or empty.
  return wanted.flatMap(({ name }) => {
    const value = before[name] ?? ''
    return value === '' ? [] : [{ name, value }]
  })
}

/** Runs a search in a transaction with these settings, and puts back those of a transaction of the caller's. */
export async function searchShards<Result>(
  session: Session,
  wanted: readonly Wanted[],
  search: (trx: Session) => Promise<Result>,
): Promise<Result> {
  return session.transaction(
    async (trx) => {
      const before = await setOnShards(trx, wanted)
      const result = await search(trx)
      if (session.isInTransaction) await setOnShards(trx, before)
      return result
    },
    { readOnly: 'as set' },
  )
}
