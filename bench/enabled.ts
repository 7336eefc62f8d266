import type { Knex } from 'knex'

import { queryVersion, usualSequence } from './by-hand.ts'
import { ensurePgvector } from './library.ts'
import { medians } from './measure.ts'
import type { Comparison } from './report.ts'

/** The boot path: ensurePgvector where pgvector is enabled already. */
export async function compareEnabled(knex: Knex): Promise<Comparison[]> {
  await ensurePgvector(knex, { logger: false })
  const { ensure, query, sequence } = await medians(
    {
      ensure: { run: () => ensurePgvector(knex, { logger: false }) },
      query: { run: () => queryVersion(knex) },
      sequence: { run: () => usualSequence(knex) },
    },
    { warmUp: 2000, counted: 3000 },
  )
  const what = 'ensurePgvector, enabled already'
  return [
    { what, milliseconds: ensure, against: 'one query of pg_extension', baseline: query, target: { atMost: 1.5 } },
    { what, milliseconds: ensure, against: 'the usual statements', baseline: sequence, target: { timesFaster: 8 } },
  ]
}
