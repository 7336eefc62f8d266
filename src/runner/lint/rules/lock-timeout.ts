import { shown, type Rule } from '../rule.ts'

/** Whoever waits for a strong lock makes all who come later wait too, even for a statement of milliseconds. */
export const lockTimeout: Rule = ({ statement, tables, migration, hasLockTimeout, isInTransaction }) => {
  if (hasLockTimeout) return []
  const names = statement.locks.filter((name) => !tables.isMadeIn(migration, name)).map(shown)
  if (names.length === 0) return []
  const set = isInTransaction ? 'set local lock_timeout' : 'set lock_timeout'
  return [
    {
      message: `It waits for a lock on ${[...new Set(names)].join(', ')} without end, and who comes after it waits behind it`,
      next: `Let it give up, to be run again: await knex.raw("${set} = '2s'") before it.`,
    },
  ]
}
