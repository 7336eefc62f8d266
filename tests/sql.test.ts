import fc from 'fast-check'

import { identifier, json, literal, qualified, toRegclass } from '../src/core/sql.ts'
import { describeOnEveryDatabase } from './support/databases.ts'

/** Text that PostgreSQL can hold, rich in what quoting is about. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom('"', "'", '\\', '?', '\\?', ';', '--', '$$', '.', ' ', '\n', ':a', 'é', '向'),
      fc.string({ unit: 'binary' }),
    ),
    {
      maxLength: 12,
    },
  )
  // PostgreSQL has no character 0 and no halves of one, and PGlite's decoder takes a byte order mark off the front.
  .map((parts) => parts.join('').replaceAll(/[\0\ud800-\udfff\ufeff]/g, ''))
const name = text.filter((value) => value.length > 0 && Buffer.byteLength(value) <= 63)

describeOnEveryDatabase('quoting', (database) => {
  test('gives PostgreSQL any text unchanged, as a literal', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const { rows } = await database().knex.raw(`select ${literal(value)}::text as value`)
        expect(rows).toEqual([{ value }])
      }),
      { numRuns: 200 },
    )
  })

  test('gives PostgreSQL any name of up to 63 bytes unchanged, as an identifier', async () => {
    await fc.assert(
      fc.asyncProperty(name, async (value) => {
        const { rows } = await database().knex.raw(`select 1 as ${identifier(value)}`)
        expect(Object.keys(rows[0])).toEqual([value])
      }),
      { numRuns: 200 },
    )
  })

  test('finds a table of any name, with and without its schema', async () => {
    await fc.assert(
      fc.asyncProperty(name, name, async (schema, table) => {
        const trx = await database().knex.transaction()
        try {
          await trx.raw(`create schema ${identifier(schema)}; create table ${qualified(schema, table)} ();
            set local search_path = ${identifier(schema)}`)
          const found = [qualified(schema, table), identifier(table)].map((each) => `${toRegclass(each)} is not null`)
          const { rows } = await trx.raw(`select ${found.join(' and ')} as found`)
          expect(rows).toEqual([{ found: true }])
        } finally {
          await trx.rollback()
        }
      }),
      { numRuns: 50 },
    )
  })

  test('gives PostgreSQL any value unchanged, as jsonb', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(text, text), async (value) => {
        // Taken apart by the server: JSON.parse of Node 24 and 26 confuses keys with escapes (nodejs/node#63785).
        const { rows } = await database().knex.raw<{ rows: { key: string; value: string }[] }>(
          `select key, value from jsonb_each_text(${json(value)})`,
        )
        expect(Object.fromEntries(rows.map((row) => [row.key, row.value]))).toEqual(value)
      }),
      { numRuns: 100 },
    )
  })

  test('does not depend on standard_conforming_strings', async () => {
    await database().knex.transaction(async (trx) => {
      await trx.raw('set local standard_conforming_strings = off')
      const value = `'; drop table x; -- \\' \\`
      const { rows } = await trx.raw(`select ${literal(value)}::text as value`)
      expect(rows).toEqual([{ value }])
    })
  })
})
