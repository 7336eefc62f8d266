import type { Knex } from 'knex'

import type { VectorIndex } from '../../src/index.ts'
import { tableOf, typeSql } from '../../src/columns/column.ts'
import { rolledBack } from './rolled-back.ts'
import { indexDefinition } from '../../src/indexes/vector-index.ts'

/** Makes the table of an index, with an id, and the index. */
export async function createWithIndex(knex: Knex, index: VectorIndex, extensionSchema: string): Promise<void> {
  const { column } = index
  const type = typeSql(column.type, column.dimensions, extensionSchema)
  await knex.raw(`create table ${tableOf(column)} (id int, ?? ${type})`, [column.name])
  const definition = indexDefinition(index, extensionSchema).replaceAll('?', '\\?')
  await knex.raw(`create index ?? ${definition}`, [index.name])
}

/** The plan of what a search sends last, where the planner may not read a small table as a whole. */
export async function planOfSearch(knex: Knex, search: () => PromiseLike<unknown>): Promise<string> {
  const sent: { readonly sql: string; readonly bindings: readonly Knex.RawBinding[] }[] = []
  const listen = (query: (typeof sent)[number]): void => void sent.push(query)
  knex.on('query', listen)
  await search()
  knex.removeListener('query', listen)
  const searches = sent.filter(({ sql }) => sql.includes('limit $'))
  const { sql, bindings } = searches.at(-1) ?? { sql: 'nothing was sent', bindings: [] }
  return rolledBack(knex, (trx) => planOf(trx, trx.raw(sql.replaceAll('?', '\\?').replace(/\$\d+/g, '?'), bindings)))
}

/** The plan of a query, where the planner may not read a small table as a whole only because it is small. */
export async function planOf(trx: Knex, query: Knex.QueryBuilder | Knex.Raw): Promise<string> {
  await trx.raw('set local enable_seqscan = off')
  const { rows } = await trx.raw<{ rows: readonly { readonly 'QUERY PLAN': string }[] }>('explain (costs off) ?', [
    query,
  ])
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}
