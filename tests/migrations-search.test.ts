import * as fc from 'fast-check'

import { describeOnEveryDatabase } from './support/databases.ts'
import {
  addContract,
  addEntry,
  findContracts,
  findEntries,
  reference,
  similar,
  vectorOf,
} from './support/embeddings.ts'
import { catalogOf } from './support/catalog.ts'
import { migrationsOf, silenceConsole } from './support/migrations.ts'

silenceConsole()

const names = (found: readonly { name: string }[]): string[] => found.map(({ name }) => name)

describeOnEveryDatabase('search_similar_entries', (database) => {
  test('finds the entries from the threshold up, the nearest first, and not more than asked for', async () => {
    const { knex } = database()
    await migrationsOf(knex).latest()
    for (const similarity of [0.6, 0.9, 0.3, 1, 0.75]) {
      await addEntry(knex, String(similarity), { a: similar(similarity) })
    }
    expect(await findEntries(knex, reference)).toEqual([
      { name: '1', similarity: 1 },
      { name: '0.9', similarity: 0.9 },
      { name: '0.75', similarity: 0.75 },
      { name: '0.6', similarity: 0.6 },
    ])
    expect(names(await findEntries(knex, reference, 2))).toEqual(['1', '0.9'])
    expect(names(await findEntries(knex, reference, 10, 0.7))).toEqual(['1', '0.9', '0.75'])
    expect(names(await findEntries(knex, reference, 10, 1))).toEqual(['1'])
    expect(names(await findEntries(knex, reference, 10, 0.2))).toHaveLength(5)
    expect(await findEntries(knex, reference, 0)).toEqual([])
  })

  test('finds at most 10 by default', async () => {
    const { knex } = database()
    await migrationsOf(knex).latest()
    for (let count = 0; count < 12; count++) await addEntry(knex, String(count), { a: similar(0.9) })
    expect(await findEntries(knex, reference)).toHaveLength(10)
    expect(await findEntries(knex, reference, 11)).toHaveLength(11)
  })

  test('leaves out embeddings that are missing or have no direction, and takes opposite ones where asked', async () => {
    const { knex } = database()
    await migrationsOf(knex).latest()
    await addEntry(knex, 'missing', { a: null })
    await addEntry(knex, 'zeros', { a: vectorOf([]) })
    await addEntry(knex, 'opposite', { a: vectorOf([-1]) })
    await addEntry(knex, 'across', { a: vectorOf([0, 1]) })
    expect(names(await findEntries(knex, reference, 10, -1))).toEqual(['across', 'opposite'])
    expect(names(await findEntries(knex, reference, 10, 0))).toEqual(['across'])
    expect(await findEntries(knex, vectorOf([]), 10, -1)).toEqual([])
  })

  test('finds an entry once for each model whose embedding is near enough', async () => {
    const { knex } = database()
    await migrationsOf(knex).latest()
    await addEntry(knex, 'twice', { small: similar(0.9), large: similar(0.7), old: similar(0.1) })
    await addEntry(knex, 'once', { small: similar(0.8) })
    expect(await findEntries(knex, reference)).toEqual([
      { name: 'twice', similarity: 0.9 },
      { name: 'once', similarity: 0.8 },
      { name: 'twice', similarity: 0.7 },
    ])
  })

  test('answers as a search by hand does, whatever is asked', async () => {
    const { knex } = database()
    await migrationsOf(knex).latest()
    // Ten directions of a circle and of a sphere, so that no two of them are equally far from a random third.
    const stored = Array.from({ length: 10 }, (_, index) => [Math.cos(index), Math.sin(index), Math.cos(index * 2)])
    for (const [index, numbers] of stored.entries()) await addEntry(knex, String(index), { a: vectorOf(numbers) })
    const coordinate = fc.double({ min: -1, max: 1, noNaN: true, noDefaultInfinity: true }).map(Math.fround)
    const query = fc.tuple(coordinate, coordinate, coordinate).filter((numbers) => Math.hypot(...numbers) > 0.01)
    const ask = fc.tuple(query, fc.integer({ min: 0, max: 12 }), fc.double({ min: -1, max: 1, noNaN: true }))
    await fc.assert(
      fc.asyncProperty(ask, async ([numbers, limit, threshold]) => {
        const similarities = stored.map((each) => cosine(each, numbers))
        const found = await findEntries(knex, vectorOf(numbers), limit, threshold)
        const wanted = similarities.filter((similarity) => similarity >= threshold).toSorted((a, b) => b - a)
        // Four-byte floats may tell the very edge of the threshold otherwise.
        fc.pre(similarities.every((similarity) => Math.abs(similarity - threshold) > 1e-4))
        expect(found).toHaveLength(Math.min(limit, wanted.length))
        for (const [index, { name, similarity }] of found.entries()) {
          expect(similarity).toBeCloseTo(wanted[index] ?? Number.NaN, 4)
          expect(similarity).toBeCloseTo(similarities[Number(name)] ?? Number.NaN, 4)
        }
      }),
      { numRuns: 30 },
    )
  })

  test('can be served by the HNSW index', async () => {
    const { knex } = database()
    await migrationsOf(knex).latest()
    await addEntry(knex, 'near', { a: similar(0.9) })
    await knex.transaction(async (trx) => {
      await trx.raw('set local enable_seqscan = off; set local enable_sort = off')
      expect(names(await findEntries(trx, reference))).toEqual(['near'])
      const { rows } = await trx.raw<{ rows: unknown[] }>(
        `select pg_stat_get_xact_numscans('idx_entry_embeddings_vector'::regclass)::int as scans`,
      )
      expect(rows).toEqual([{ scans: 1 }])
    })
  })
})

describeOnEveryDatabase('search_similar_contracts', (database) => {
  test('compares the embeddings of whole contracts only, from the threshold up, the nearest first', async () => {
    const { knex } = database()
    await migrationsOf(knex).latest()
    await addContract(knex, 'good', { full: similar(0.8), terms: similar(0.99) })
    await addContract(knex, 'better', { full: similar(0.9), parties: null })
    await addContract(knex, 'far', { full: similar(0.2), terms: similar(0.95) })
    await addContract(knex, 'without', { full: null, terms: similar(0.95) })
    expect(await findContracts(knex, reference)).toEqual([
      { name: 'better', similarity: 0.9 },
      { name: 'good', similarity: 0.8 },
    ])
    expect(names(await findContracts(knex, reference, 1))).toEqual(['better'])
    expect(names(await findContracts(knex, reference, 10, 0.85))).toEqual(['better'])
    expect(names(await findContracts(knex, reference, 10, 0.1))).toEqual(['better', 'good', 'far'])
  })
})

describeOnEveryDatabase('with the extension in a schema off the search path, migration 002', (database) => {
  test.each(['extensions', 'My "own".schema'])('works where that is called %s', async (schema) => {
    const { knex } = database()
    await knex.raw(`create schema "${schema.replaceAll('"', '""')}"`)
    await knex.raw(`create extension vector schema "${schema.replaceAll('"', '""')}"`)
    const empty = await catalogOf(knex)
    const migrations = migrationsOf(knex)
    await migrations.latest()
    await addEntry(knex, 'near', { a: similar(0.9) })
    await addContract(knex, 'near', { full: similar(0.9) })
    expect(names(await findEntries(knex, reference))).toEqual(['near'])
    expect(names(await findContracts(knex, reference))).toEqual(['near'])
    await migrations.rollbackAll()
    expect(await catalogOf(knex)).toEqual(empty)
  })
})

function cosine(left: readonly number[], right: readonly number[]): number {
  const product = left.reduce((sum, number, index) => sum + number * (right[index] ?? 0), 0)
  return product / (Math.hypot(...left) * Math.hypot(...right))
}
