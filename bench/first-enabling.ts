import type { Knex } from 'knex'

import { usualSequence } from './by-hand.ts'
import { ensurePgvector } from './library.ts'
import { measure } from './measure.ts'
import type { Comparison } from './report.ts'

/** The first enabling of a database: all checks, the extension, its verification and the log. */
export async function compareFirstEnabling(knex: Knex): Promise<Comparison[]> {
  const prepare = (): Promise<unknown> =>
    knex.raw('drop extension if exists vector; drop table if exists pgvector_migration_log')
  const { ensure, sequence } = await measure(
    {
      ensure: { prepare, run: () => ensurePgvector(knex, { logger: false }) },
      sequence: { prepare, run: () => usualSequence(knex) },
    },
    { warmUp: 5, counted: 60 },
  )
  return [
    {
      what: 'ensurePgvector, enabling it',
      milliseconds: ensure,
      against: 'the usual statements',
      baseline: sequence,
      target: { atMost: 1.5 },
    },
  ]
}
