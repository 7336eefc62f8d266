import type { Knex } from 'knex'

import { createVectorIndex, ensureTenantIndexes, nearest, nearestRows, tenantRule } from '../src/index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { addRows, byMeaning, createTenants, quiet } from './support/tenants.ts'
import { planOf } from './support/vector-tables.ts'

const query = [0.9, -0.4, 0.3, 0.2, -0.1, 0.5, -0.6, 0.7]
const rule = tenantRule(byMeaning, { column: 'tenant_id', above: 500, atMost: 5 })

/** A search sends its vector and its limit as parameters. */
interface Sent {
  readonly sql: string
  readonly bindings: readonly Knex.RawBinding[]
}

/** What the server plans for a search, with the parameters that the search sends. */
async function planSent(knex: Knex, search: () => PromiseLike<unknown>): Promise<string> {
  const sent: Sent[] = []
  const listen = (each: Sent): void => void sent.push(each)
  knex.on('query', listen)
  await search()
  knex.removeListener('query', listen)
  const { sql, bindings } = sent.findLast((each) => each.sql.includes('limit $')) ?? { sql: '', bindings: [] }
  expect(sql).not.toBe('')
  return explain(knex, sql, bindings)
}

async function explain(knex: Knex, sql: string, bindings: readonly Knex.RawBinding[]): Promise<string> {
  const plain = sql.replaceAll('?', '\\?').replaceAll(/\$\d+/g, '?')
  const { rows } = await knex.raw<{ rows: readonly { readonly 'QUERY PLAN': string }[] }>(
    `explain (costs off) ${plain}`,
    bindings,
  )
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

async function indexOf(knex: Knex, tenant: string): Promise<string> {
  const { built } = await ensureTenantIndexes(knex, rule, quiet)
  return built.find((each) => each.tenant === tenant)?.index ?? 'none'
}

describeOnEveryDatabase('a search of a tenant', (database) => {
  const fill = async (type: string, big: string, small: string): Promise<Knex> => {
    const { knex } = database()
    await createTenants(knex, type)
    await addRows(knex, big, 800)
    await addRows(knex, small, 2400)
    await createVectorIndex(knex, byMeaning, quiet)
    return knex
  }

  test.each([
    { type: 'integer', tenant: '7', other: '8' },
    { type: 'bigint', tenant: '9007199254740993', other: '8' },
    { type: 'uuid', tenant: 'a3bb189e-8bf9-4888-9912-ace4e6543002', other: '00000000-0000-0000-0000-000000000000' },
    { type: 'text', tenant: 'what? it\'s \\? "mine"', other: 'other' },
    { type: 'varchar(50)', tenant: 'mine', other: 'other' },
  ])('uses the index of its tenant, of type $type', async ({ type, tenant, other }) => {
    const knex = await fill(type, tenant, other)
    const name = await indexOf(knex, tenant)
    await knex.raw('analyze documents')
    const search = (db: Knex, where: Readonly<Record<string, unknown>>) =>
      nearestRows(db, byMeaning, query, { limit: 10, columns: ['id'], where })
    const used = `Index Scan using ${name} on documents`
    expect(await planSent(knex, () => search(knex, { tenant_id: tenant }))).toContain(used)
    await knex.transaction(async (trx) => {
      expect(await planSent(trx, () => search(trx, { tenant_id: tenant }))).toContain(used)
    })
    const own = knex('documents').where({ tenant_id: tenant }).modify(nearest(byMeaning, query)).limit(10)
    expect(await planOf(knex, own)).toContain(used)
  })

  test('uses it with a further condition, and in a function', async () => {
    const knex = await fill('integer', '7', '8')
    const name = await indexOf(knex, '7')
    const search = () =>
      nearestRows(knex, byMeaning, query, {
        limit: 10,
        columns: ['id'],
        where: (builder) => void builder.where('tenant_id', 7).where('id', '>', 3),
      })
    expect(await planSent(knex, search)).toContain(`Index Scan using ${name} on documents`)
    const { rows, isComplete } = await search()
    expect([rows.length, isComplete]).toEqual([10, true])
  })

  test('uses it with the parameters of a prepared statement, which is planned for their values', async () => {
    const knex = await fill('integer', '7', '8')
    const name = await indexOf(knex, '7')
    await knex.raw('analyze documents')
    const plans: string[] = []
    await knex.transaction(async (trx) => {
      await trx.raw(`prepare search (int, vector) as select id from documents where tenant_id = $1
        order by embedding <=> $2 limit 10`)
      // From the sixth execution on, the server may plan without the values.
      for (let run = 0; run < 8; run++) {
        const sql = `explain (costs off) execute search (7, '[${query.join(',')}]')`
        const { rows } = await trx.raw<{ rows: readonly { readonly 'QUERY PLAN': string }[] }>(sql)
        plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
      }
      await trx.raw('deallocate search')
    })
    for (const plan of plans) expect(plan).toContain(`Index Scan using ${name} on documents`)
  })

  test('returns the rows of its tenant alone, and all tenants are searched without one', async () => {
    const knex = await fill('integer', '7', '8')
    await indexOf(knex, '7')
    const { rows } = await nearestRows<{ tenant_id: number }>(knex, byMeaning, query, {
      limit: 40,
      where: { tenant_id: 7 },
    })
    expect([rows.length, new Set(rows.map((row) => row.tenant_id))]).toEqual([40, new Set([7])])
    const every = await planSent(knex, () => nearestRows(knex, byMeaning, query, { limit: 10, columns: ['id'] }))
    expect(every).toContain(`Index Scan using ${byMeaning.name} on documents`)
  })
})
