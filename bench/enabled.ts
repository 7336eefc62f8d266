import type { Knex } from 'knex'

import { queryVersion, usualSequence } from './by-hand.ts'
import { ensurePgvector } from './library.ts'
import { measure, type Contender } from './measure.ts'
import type { Comparison } from './report.ts'

// One call takes a tenth of a millisecond, in which a processor is still busy with forgetting what ran before: so each
// contender runs so many times in a row.
const CALLS = 20

/** The boot path: ensurePgvector where pgvector is enabled already. */
export async function compareEnabled(knex: Knex): Promise<Comparison[]> {
  const ensureOnce = (): Promise<unknown> => ensurePgvector(knex, { logger: false })
  await ensureOnce()
  const times = await measure(
    {
      ensure: inARow(ensureOnce),
      query: inARow(() => queryVersion(knex)),
      sequence: inARow(() => usualSequence(knex)),
    },
    { warmUp: 200, counted: 300 },
  )
  const what = 'ensurePgvector, enabled already'
  const [ensure, query, sequence] = [ofOne(times.ensure), ofOne(times.query), ofOne(times.sequence)]
  return [
    { what, milliseconds: ensure, against: 'one query of pg_extension', baseline: query, target: { atMost: 1.5 } },
    { what, milliseconds: ensure, against: 'the usual statements', baseline: sequence, target: { timesFaster: 8 } },
  ]
}

function inARow(call: () => Promise<unknown>): Contender {
  return {
    run: async () => {
      for (let calls = 0; calls < CALLS; calls++) await call()
    },
  }
}

function ofOne(rounds: readonly number[]): number[] {
  return rounds.map((time) => time / CALLS)
}
