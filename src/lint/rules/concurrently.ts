import type { Rule, Step } from '../rule.ts'

/** PostgreSQL refuses CONCURRENTLY in a transaction, and runs several statements of one string in a transaction. */
export const concurrently: Rule = ({ statement: { concurrent }, transaction }) => {
  if (concurrent === null || transaction === 'none') return []
  const { what, name } = concurrent
  return [
    {
      message: `${what} CONCURRENTLY${name === null ? '' : ` ${name}`} ${reasons[transaction]}, and PostgreSQL refuses it there`,
      next: remedies[transaction],
    },
  ]
}

const reasons: Readonly<Record<Exclude<Step['transaction'], 'none'>, string>> = {
  'of the migration': 'runs in the transaction of the migration',
  'of its own': 'runs in a transaction of its own, or in one string with other statements, which is a transaction too',
}

const remedies: Readonly<Record<Exclude<Step['transaction'], 'none'>, string>> = {
  'of the migration':
    'Move it to a separate migration that exports config = { transaction: false }, or use CreateVectorIndex, which sets that.',
  'of its own': 'Send it alone, with an await knex.raw(…) of its own and without begin.',
}
