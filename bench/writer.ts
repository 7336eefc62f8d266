import Knex from 'knex'

/** One write: when it began, in milliseconds since 1970, and what it took, in milliseconds. */
export interface Write {
  readonly at: number
  readonly milliseconds: number
}

/** What the process is told, one after the other. */
export type Order = 'write' | 'stop' | 'end'

/**
 * The process of a writer, as another application is one: what goes on in the process that builds must not be taken for
 * what the server does to its writers.
 */
async function main(): Promise<void> {
  const knex = Knex({ client: 'pg', connection: process.env['DATABASE_URL'] ?? '', pool: { min: 1, max: 1 } })
  const state = { isWriting: false }
  const writeOn = async (): Promise<void> => {
    const writes: Write[] = []
    for (let id = 1; state.isWriting; id++) {
      const started = performance.now()
      await knex.raw(`update documents set note = ${id} where id = ${(id % 1000) + 1}`)
      writes.push({ at: performance.timeOrigin + started, milliseconds: performance.now() - started })
    }
    process.send?.(writes)
  }
  process.on('message', (order: Order) => {
    state.isWriting = order === 'write'
    if (state.isWriting) void writeOn()
    if (order === 'end') void knex.destroy().then(() => process.disconnect())
  })
  await knex.raw('select 1')
  process.send?.('ready')
}

void main()
