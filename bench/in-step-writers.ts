import Knex from 'knex'

/** What the process of the writers is asked for. */
export interface WritersOrder {
  readonly url: string
  readonly writers: number
  /** The number of edits that they make together, and of the rows that they edit. */
  readonly edits: number
  readonly rows: number
  /** Distinguishes the texts of one run from those of another. */
  readonly label: string
  /** A write that waits longer than this for a lock is counted; milliseconds. */
  readonly patience: number
}

/** What they report. */
export interface WritersReport {
  /** What each write took, in milliseconds. */
  readonly times: readonly number[]
  /** The number of writes that waited too long for a lock. */
  readonly waited: number
}

const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Writers in a process of their own, so that a write does not wait for the work of the worker's process. PostgreSQL
 * itself ends a write that waits too long for a lock, whatever else slows the machine down.
 */
async function write({ url, writers, edits, rows, label, patience }: WritersOrder): Promise<WritersReport> {
  const connection = { connectionString: url, options: `-c lock_timeout=${patience}` }
  const knex = Knex({ client: 'pg', connection, pool: { min: writers, max: writers } })
  const times: number[] = []
  let waited = 0
  const writer = async (number: number): Promise<void> => {
    for (let edit = 0; edit < edits / writers; edit++) {
      const id = 1 + ((edit * 37 + number * 251) % rows)
      const body = `${label} w${number} e${edit}`
      const started = performance.now()
      await knex('docs')
        .where({ id })
        .update({ body })
        .catch((error: { readonly code?: string }) => {
          if (error.code !== LOCK_NOT_AVAILABLE) throw error
          waited++
          return knex.transaction(async (trx) => {
            await trx.raw('set local lock_timeout = 0')
            await trx('docs').where({ id }).update({ body })
          })
        })
      times.push(performance.now() - started)
    }
  }
  try {
    // The connections are made before anything is measured.
    await Promise.all(Array.from({ length: writers }, () => knex.raw('select pg_sleep(0.1)')))
    await Promise.all(Array.from({ length: writers }, (_, number) => writer(number)))
  } finally {
    await knex.destroy()
  }
  return { times, waited }
}

async function answer(order: WritersOrder): Promise<void> {
  process.send?.(await write(order))
  process.disconnect()
}

process.once('message', (order: WritersOrder) => void answer(order))
