import type { Knex } from 'knex'

import { createVectorIndex, ensurePgvector, nearestRows, vectorColumn, vectorIndex } from './library.ts'
import { measure, type Contender } from './measure.ts'
import type { Comparison } from './report.ts'

const ROWS = 10_000
const DIMENSIONS = 384
const ROUNDS = { warmUp: 50, counted: 200 } as const

const column = vectorColumn('searched', 'embedding', { dimensions: DIMENSIONS })
const index = vectorIndex(column, { method: 'hnsw', metric: 'cosine' })

interface Search {
  readonly what: string
  readonly limit: number
  readonly where?: Readonly<Record<string, unknown>>
}

const searches: readonly Search[] = [
  { what: 'nearestRows, limit 10', limit: 10 },
  { what: 'nearestRows, limit 100', limit: 100 },
  { what: 'nearestRows, limit 10, a filter of 2 %', limit: 10, where: { tenant: 7 } },
]

/** Searches of an HNSW index, against the same query by hand with SET LOCAL. */
export async function compareSearch(knex: Knex): Promise<Comparison[]> {
  await load(knex)
  const compared: Comparison[] = []
  for (const search of searches) {
    compared.push(await compareOne(knex, search, 'a query by hand, in a transaction with SET LOCAL'))
    compared.push(
      ...(await knex.transaction(async (trx) => [
        await compareOne(trx, { ...search, what: `${search.what}, in a transaction` }, 'SET LOCAL and a query by hand'),
      ])),
    )
  }
  return compared
}

async function compareOne(knex: Knex, { what, limit, where }: Search, against: string): Promise<Comparison> {
  const ours: Contender = {
    run: () => nearestRows(knex, index, randomVector(), { limit, where, columns: ['id'] }),
  }
  const byHand = async (trx: Knex): Promise<unknown> => {
    await trx.raw(`set local hnsw.ef_search = ${Math.max(40, limit)}; set local hnsw.iterative_scan = 'relaxed_order'`)
    return trx('searched')
      .select('id', { distance: trx.raw('embedding <=> ?', [JSON.stringify(randomVector())]) })
      .where(where ?? {})
      .orderByRaw('distance')
      .limit(limit)
  }
  const hand: Contender = { run: () => (knex.isTransaction === true ? byHand(knex) : knex.transaction(byHand)) }
  const times = await measure({ ours, hand }, ROUNDS)
  return { what, milliseconds: times.ours, against, baseline: times.hand, target: { atMost: 1.2 } }
}

function randomVector(): number[] {
  return Array.from({ length: DIMENSIONS }, () => Math.random() - 0.5)
}

async function load(knex: Knex): Promise<void> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw(`create table searched as select row as id, row % 50 as tenant, embedding from (
    select i % ${ROWS} as row, array_agg(random() - 0.5)::vector(${DIMENSIONS}) as embedding
    from generate_series(1, ${DIMENSIONS} * ${ROWS}) i group by 1) rows`)
  await createVectorIndex(knex, index, { logger: false })
  await knex.raw('analyze searched')
}
