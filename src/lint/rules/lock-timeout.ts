import { shown, type Rule, type Step } from '../rule.ts'

/**
 * A session that waits for a strong lock blocks all later queries on the table, even if its statement takes
 * milliseconds.
 */
export const lockTimeout: Rule = ({ statement, tables, waits, hasLockTimeout, transaction }) => {
  if (hasLockTimeout) return []
  const names = statement.locks.filter((name) => !tables.isMade(name) && !waits.has(tables, name)).map(shown)
  if (names.length === 0) return []
  return [
    {
      message: `It waits for a lock on ${[...new Set(names)].join(', ')} without a limit, and all later queries wait behind it`,
      next: `Set a limit, and run it again if the limit is reached: ${remedies[transaction]}.`,
    },
  ]
}

// Outside a transaction `set local` has no effect, and Knex may send the next statement on another connection.
const remedies: Readonly<Record<Step['transaction'], string>> = {
  'of the migration': `await knex.raw("set local lock_timeout = '2s'") before it`,
  'of its own': `set local lock_timeout = '2s' before it in its transaction, with trx.raw or in the same string`,
  none: `send it in a transaction, await knex.transaction(async (trx) => { … }), after await trx.raw("set local lock_timeout = '2s'")`,
}
