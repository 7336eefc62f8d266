import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Knex } from 'knex'

import { ensurePgvector, type SearchOptions, withSearchOptions } from '../src/index.ts'
import { searchSettings } from '../src/search/settings.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { statementsOf } from './support/recorder.ts'

const settingOf = async (knex: Knex, name: string): Promise<string | null> => {
  const { rows } = await knex.raw<{ rows: [{ value: string | null }] }>('select current_setting(?, true) as value', [
    name,
  ])
  return rows[0].value
}

const useLibrary = (knex: Knex): Promise<unknown> => knex.raw(`select '[1]'::vector`)

describeOnEveryDatabase('the table of search settings', (database) => {
  test('is that of the server', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const { rows } = await knex.raw<{ rows: readonly Setting[] }>(
      `select name, vartype, min_val::float8, max_val::float8, enumvals, context, '[1]'::vector
      from pg_settings where name ~ '^(hnsw|ivfflat)[.]' order by name`,
    )
    const told = Object.entries(searchSettings).map(([name, { values }]) => ({
      name,
      context: 'user',
      ...('smallest' in values
        ? {
            vartype: 'isReal' in values ? 'real' : 'integer',
            min_val: values.smallest,
            max_val: values.largest,
            enumvals: null,
          }
        : { vartype: 'enum', min_val: null, max_val: null, enumvals: values }),
    }))
    const found = rows.map(({ name, vartype, min_val, max_val, enumvals, context }) => ({
      name,
      context,
      vartype,
      min_val,
      max_val,
      enumvals,
    }))
    expect(found.toSorted(byName)).toEqual(told.toSorted(byName))
  })
})

describe('docs/search.md', () => {
  test('has the release and the range of every setting', () => {
    const page = readFileSync(join(__dirname, '../docs/search.md'), 'utf8')
    for (const [name, { option, since, values }] of Object.entries(searchSettings)) {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${option}\` |`) && line.includes(`\`${name}\``))
      const range =
        'smallest' in values ? [`${values.smallest} to ${values.largest}`] : values.map((value) => `\`${value}\``)
      for (const told of [...range, `| ${since} |`]) expect(row).toContain(told)
    }
  })
})

describeOnEveryDatabase('withSearchOptions', (database) => {
  test('sets each of them until the transaction ends, committed or not', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await useLibrary(knex)
    const names = Object.keys(searchSettings)
    // One query, for one connection of the pool.
    const all = async (db: Knex): Promise<unknown> => {
      const columns = names.map((name, place) => db.raw('current_setting(?, true) as ??', [name, `s${place}`]))
      return Object.values((await db.select(columns).first()) as object)
    }
    const before = await all(knex)
    for (const end of ['commit', 'rollback'] as const) {
      const trx = await knex.transaction()
      await withSearchOptions(trx, {
        efSearch: 1000,
        iterativeScan: 'relaxed_order',
        maxScanTuples: 5,
        scanMemMultiplier: 1.5,
        probes: 7,
        maxProbes: 8,
      })
      expect(await all(trx)).toEqual(['1000', 'relaxed_order', '5', '1.5', '7', 'relaxed_order', '8'])
      await trx[end]()
      expect(await all(knex)).toEqual(before)
    }
  })

  test('leaves alone what is not told, and ivfflat where only hnsw has the value', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.transaction(async (trx) => {
      await withSearchOptions(trx, { efSearch: 77 })
      await withSearchOptions(trx, {})
      await withSearchOptions(trx, { iterativeScan: 'strict_order', probes: undefined })
      expect(await settingOf(trx, 'hnsw.ef_search')).toBe('77')
      expect(await settingOf(trx, 'hnsw.iterative_scan')).toBe('strict_order')
      expect(await settingOf(trx, 'ivfflat.iterative_scan')).toBe('off')
      expect(await settingOf(trx, 'ivfflat.probes')).toBe('1')
    })
  })

  test('sets them for the work alone where there is some, and returns what it returns', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.transaction(async (trx) => {
      await withSearchOptions(trx, { efSearch: 50 })
      const inside = await withSearchOptions(trx, { efSearch: 60 }, () => settingOf(trx, 'hnsw.ef_search'))
      expect([inside, await settingOf(trx, 'hnsw.ef_search')]).toEqual(['60', '50'])
      const failure = new Error('of the work')
      await expect(withSearchOptions(trx, { efSearch: 60 }, () => Promise.reject(failure))).rejects.toBe(failure)
      expect(await settingOf(trx, 'hnsw.ef_search')).toBe('50')
    })
  })

  test('passes on what the database said of the work', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const attempt = knex.transaction((trx) =>
      withSearchOptions(trx, { efSearch: 60 }, () => trx.raw('select from nowhere')),
    )
    await expect(attempt).rejects.toMatchObject({ code: '42P01' })
  })

  test('takes one round trip to set them, and one to take them back after some work', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const statements = await statementsOf(knex, () =>
      knex.transaction((trx) => withSearchOptions(trx, { efSearch: 60, probes: 3 }, async () => null)),
    )
    expect(statements).toHaveLength(4)
  })

  test.each([
    [
      { efSearch: 0, probes: 32_769 },
      ['efSearch: must be a whole number from 1 to 1000', 'probes: must be a whole number from 1 to 32768'],
    ],
    [
      { maxScanTuples: 1.5, maxProbes: 0 },
      [
        'maxScanTuples: must be a whole number from 1 to 2147483647',
        'maxProbes: must be a whole number from 1 to 32768',
      ],
    ],
    [{ scanMemMultiplier: 1000.5 }, ['scanMemMultiplier: must be a number from 1 to 1000']],
    [{ iterativeScan: 'on' }, ['iterativeScan: must be one of off, relaxed_order, strict_order']],
    [{ ef_search: 5 }, ['Unrecognized key: "ef_search". Did you mean "efSearch"?']],
  ])('refuses %j before anything is sent', async (options, problems) => {
    const { knex } = database()
    const trx = await knex.transaction()
    const statements = await statementsOf(knex, async () => {
      const { details } = await expectError('INVALID_OPTIONS', () => withSearchOptions(trx, options as SearchOptions))
      expect(details.problems).toEqual(problems)
    })
    await trx.rollback()
    expect(statements).toEqual([])
  })

  test('refuses to work outside of a transaction, where it would set nothing', async () => {
    const { knex } = database()
    const { details } = await expectError('INVALID_OPTIONS', () => withSearchOptions(knex, { efSearch: 50 }))
    expect(details.problems).toEqual([expect.stringContaining('needs a transaction')])
  })

  test('says so where pgvector is not enabled', async () => {
    const { knex } = database()
    await expectError('VERIFICATION_FAILED', () => knex.transaction((trx) => withSearchOptions(trx, { efSearch: 50 })))
  })

  test('names the release that brings an option which the loaded library does not have, and sets nothing', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.transaction(async (trx) => {
      const connection = (await trx.client.acquireConnection()) as QueriedConnection
      const query = connection.query.bind(connection)
      connection.query = (config, done) => query(config, (error, answer) => done(error, withoutIterativeScans(answer)))
      const { details } = await expectError('SEARCH_OPTION_NOT_SUPPORTED', () =>
        withSearchOptions(trx, { efSearch: 50, iterativeScan: 'strict_order' }),
      )
      expect(details).toEqual({ option: 'iterativeScan', since: '0.8.0', installed: pgvector })
    })
  })
})

interface QueriedConnection {
  query(config: unknown, done: (error: unknown, answer: Result | readonly Result[]) => void): unknown
}

describeOnServers('withSearchOptions in a new connection', (database) => {
  test('has values that hold when the first search comes, and sets none where one is unknown', async () => {
    await ensurePgvector(database().knex, { logger: false })
    const knex = database().connect({ pool: { min: 1, max: 1 } })
    expect(await settingOf(knex, 'hnsw.ef_search')).toBeNull()
    await knex.transaction(async (trx) => {
      await withSearchOptions(trx, { efSearch: 99, iterativeScan: 'strict_order' })
      await useLibrary(trx)
      expect(await settingOf(trx, 'hnsw.ef_search')).toBe('99')
      expect(await settingOf(trx, 'hnsw.iterative_scan')).toBe('strict_order')
    })
    expect(await settingOf(knex, 'hnsw.ef_search')).toBe('40')
  })

  test('needs no right but to connect', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { schema: 'hidden', createSchema: true, logger: false })
    await knex.transaction(async (trx) => {
      await trx.raw('set local role pg_monitor')
      await withSearchOptions(trx, { efSearch: 99 })
      expect(await settingOf(trx, 'hnsw.ef_search')).toBe('99')
    })
  })
})

interface Setting {
  readonly name: string
  readonly vartype: string
  readonly min_val: number | null
  readonly max_val: number | null
  readonly enumvals: readonly string[] | null
  readonly context: string
}

function byName(left: { readonly name: string }, right: { readonly name: string }): number {
  return left.name.localeCompare(right.name)
}

interface Result {
  readonly rows?: readonly { readonly state?: { readonly before?: Record<string, string | null> } }[]
}

/** Answers as a server with pgvector 0.7 would. */
function withoutIterativeScans(results: Result | readonly Result[]): Result | readonly Result[] {
  for (const { rows } of Array.isArray(results) ? (results as readonly Result[]) : [results as Result]) {
    const before = rows?.[0]?.state?.before
    if (before !== undefined) Object.assign(before, { 'hnsw.iterative_scan': null })
  }
  return results
}
