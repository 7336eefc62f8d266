import Knex from 'knex'

import { copyVectors } from './library.ts'

/** What this process used at most, as the system counts it. */
export interface Peak {
  readonly megabytesBefore: number
  readonly megabytes: number
  readonly seconds: number
}

const [rows = 0, dimensions = 0] = process.argv.slice(2).map(Number)

function peak(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024)
}

// Each row brings numbers of its own, as those of a model or of a file do.
function* documents(): Generator<{ readonly id: number; readonly embedding: number[] }> {
  for (let id = 0; id < rows; id++) {
    yield { id, embedding: Array.from({ length: dimensions }, (_, place) => Math.sin(id + place)) }
  }
}

async function main(): Promise<void> {
  const knex = Knex({ client: 'pg', connection: process.env['DATABASE_URL'] ?? '', pool: { min: 1, max: 1 } })
  await knex.raw('select 1')
  const megabytesBefore = peak()
  const { milliseconds } = await copyVectors(knex, 'documents', ['id', 'embedding'], documents())
  await knex.destroy()
  process.send?.({ megabytesBefore, megabytes: peak(), seconds: milliseconds / 1000 } satisfies Peak)
}

void main()
