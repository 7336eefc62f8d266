import Knex from 'knex'

import {
  ensurePgvector,
  inspectPgvector,
  migrateToLatest,
  nearestRows,
  vectorColumn,
  vectorIndex,
} from '../src/index.ts'
import { lint } from '../src/lint.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { unconnected } from './support/unconnected.ts'

const column = vectorColumn('documents', 'embedding', { dimensions: 3 })
const index = vectorIndex(column, { method: 'hnsw', metric: 'cosine' })

describe("Knex's pgnative client", () => {
  test('is refused as a configuration, without its driver being loaded', async () => {
    const config = { client: 'pgnative', connection: 'postgres://localhost/none' }
    const error = await expectError('UNSUPPORTED_DATABASE', () => createMigrator(config))
    expect(error.message).toContain('pgnative')
    expect(error.hint).toContain('`pg` client')
  })

  test('is refused as an instance by every function', async () => {
    const knex = Knex({ client: 'pgnative' })
    for (const call of [
      () => createMigrator(knex),
      () => migrateToLatest(knex),
      () => ensurePgvector(knex),
      () => inspectPgvector(knex),
      () => lint(knex),
    ]) {
      await expectError('UNSUPPORTED_DATABASE', call)
    }
  })
})

describe("Lucid's client", () => {
  const lucid = { getReadClient: unconnected, getWriteClient: unconnected, isTransaction: false } as never

  test.each([
    ['createMigrator', () => createMigrator(lucid)],
    ['migrateToLatest', () => migrateToLatest(lucid)],
    ['ensurePgvector', () => ensurePgvector(lucid)],
    ['lint', () => lint(lucid)],
    ['nearestRows', () => nearestRows(lucid, index, [1, 2, 3], { limit: 1 })],
  ])('is refused with the way to the Knex instance inside it: %s', async (_, call) => {
    expect((await expectError('UNSUPPORTED_DATABASE', call)).hint).toContain('getWriteClient()')
  })
})

describe('what is nothing of Knex', () => {
  test.each([undefined, null, 3, 'postgres://localhost/none'])('is refused: %s', async (nothing) => {
    await expectError('INVALID_OPTIONS', () => createMigrator(nothing as never))
    await expectError('UNSUPPORTED_DATABASE', () => ensurePgvector(nothing as never))
  })
})

describeOnEveryDatabase('a transaction', (database) => {
  test('is refused by the migrator at once, and stays usable', async () => {
    await database().knex.transaction(async (trx) => {
      const started = performance.now()
      const error = await expectError('INVALID_OPTIONS', () => createMigrator(trx))
      expect(error.details.problems).toEqual([expect.stringContaining('not a transaction')])
      await expectError('INVALID_OPTIONS', () => migrateToLatest(trx))
      expect(performance.now() - started).toBeLessThan(1000)
      expect((await trx.raw('select 1 as one')).rows).toEqual([{ one: 1 }])
    })
  })
})
