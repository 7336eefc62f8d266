import type { Knex } from 'knex'

import {
  ensurePgvector,
  nearest,
  nearestRows,
  type NearestRowsOptions,
  vectorColumn,
  vectorIndex,
  withSearchOptions,
} from '../src/index.ts'
import { decideShort, describeShort, EXACT_ROWS, type ShortSearch } from '../src/search/decide-short.ts'
import { searchSettingsFor } from '../src/search/search-settings-for.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { statementsOf } from './support/recorder.ts'
import { planOf } from './support/vector-tables.ts'
import { unconnected } from './support/unconnected.ts'

const DIMENSIONS = 16
const ROWS = 5000
const TENANTS = 50
const PER_TENANT = ROWS / TENANTS

const query = Array.from({ length: DIMENSIONS }, (_, place) => Math.sin(place * 3.7))
const embedding = vectorColumn('documents', 'embedding', { dimensions: DIMENSIONS })
const hnsw = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
const ivfflat = vectorIndex(embedding, { method: 'ivfflat', metric: 'cosine', lists: 50 })

const indexes = {
  hnsw,
  'hnsw on a cast to halfvec': vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', storage: 'halfvec' }),
  'hnsw on a binary quantization': vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', storage: 'binary' }),
  ivfflat,
  'ivfflat on a cast to halfvec': vectorIndex(embedding, {
    method: 'ivfflat',
    metric: 'cosine',
    storage: 'halfvec',
    lists: 50,
  }),
  'ivfflat on a binary quantization': vectorIndex(embedding, {
    method: 'ivfflat',
    metric: 'cosine',
    storage: 'binary',
    lists: 50,
  }),
}

describeOnEveryDatabase('a search', (database) => {
  const fill = async (index = hnsw): Promise<Knex> => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    // Numbers that look random and are the same in every run.
    await knex.raw(`create table documents as
      select i as id, i % ${TENANTS} as tenant, array(
        select sin(i * 12.9898 + place * 78.233 + (i * place % 37) ^ 2)::real from generate_series(1, ${DIMENSIONS}) place
      )::vector(${DIMENSIONS}) as embedding
      from generate_series(1, ${ROWS}) i`)
    const lists = index.method === 'ivfflat' ? 'with (lists = 50)' : ''
    await knex.raw(`create index on documents using ${index.method} (${expressionOf(index)}) ${lists}`)
    await knex.raw('analyze documents')
    return knex
  }

  // The planner may not read the small table as a whole.
  const byIndex = <Result>(knex: Knex, work: (trx: Knex.Transaction) => Promise<Result>): Promise<Result> =>
    knex.transaction(async (trx) => {
      await trx.raw('set local enable_seqscan = off')
      return work(trx)
    })

  test.each(Object.entries(indexes))('of %s returns all rows that it is to return, nearest first', async (_, index) => {
    const knex = await fill(index)
    const searches = [{ tenant: 7 }, undefined].flatMap((where) =>
      [10, 100, 500].flatMap((limit) => [0, 30, PER_TENANT - 5].map((offset) => ({ where, limit, offset }))),
    )
    await byIndex(knex, async (trx) => {
      for (const search of searches) {
        const options = { ...search, columns: ['id'] }
        const { rows, ...rest } = await nearestRows<{ id: number }>(trx, index, query, options)
        const matching = search.where === undefined ? ROWS : PER_TENANT
        const found = new Set(rows.map(({ id }) => id)).size
        const distances = rows.map(({ distance }) => distance)
        expect({ search, found, ...rest }).toEqual({
          search,
          found: Math.min(search.limit, matching - search.offset),
          isComplete: true,
          warnings: [],
        })
        expect(distances).toEqual(distances.toSorted((left, right) => left - right))
      }
    })
    const pooled = await nearestRows(knex, index, query, { limit: 500, where: { tenant: 7 } })
    expect(pooled.rows).toHaveLength(PER_TENANT)
  })

  test('whose scan ends early compares the few rows that match one by one', async () => {
    const knex = await fill()
    const few = { limit: 20, where: { tenant: 7 }, columns: ['id'], maxScanTuples: 1 } as const
    const { rows, isComplete, warnings } = await byIndex(knex, (trx) => nearestRows(trx, hnsw, query, few))
    const exact = await knex('documents')
      .select('id')
      .where({ tenant: 7 })
      .orderByRaw('(embedding <=> ?) + 0', [JSON.stringify(query)])
      .limit(20)
    expect({ isComplete, warnings }).toEqual({ isComplete: true, warnings: [] })
    expect(rows.map(({ id }) => id)).toEqual(exact.map(({ id }: { id: number }) => id))
  })

  test('whose caller turned iterative scans off, itself or around it, says that it is short', async () => {
    const knex = await fill()
    const few = { limit: 20, where: { tenant: 7 } } as const
    const warnings = [expect.stringMatching(/^Found \d+ of 20 rows\. 100 rows match\. Turn iterativeScan on, or raise/)]
    await byIndex(knex, async (trx) => {
      const itself = await nearestRows(trx, hnsw, query, { ...few, iterativeScan: 'off' })
      expect(itself).toMatchObject({ isComplete: false, warnings })
      const around = await withSearchOptions(trx, { iterativeScan: 'off' }, () => nearestRows(trx, hnsw, query, few))
      expect(around).toMatchObject({ rows: itself.rows, isComplete: false, warnings })
      const inside = { ...few, iterativeScan: 'relaxed_order' } as const
      const more = await withSearchOptions(trx, { iterativeScan: 'off' }, () => nearestRows(trx, hnsw, query, inside))
      expect(more).toMatchObject({ isComplete: true, warnings: [] })
      const afterwards = await nearestRows(trx, hnsw, query, few)
      expect(afterwards).toMatchObject({ isComplete: true, warnings: [] })
    })
  })

  test('has no settings where none is needed, until it is short', async () => {
    const knex = await fill()
    const options = { limit: 10, columns: ['id'] } as const
    await byIndex(knex, async (trx) => {
      await nearestRows(trx, hnsw, query, options)
      const sent = await statementsOf(trx, () => nearestRows(trx, hnsw, query, options))
      expect(sent).toEqual([expect.not.stringContaining('set_config')])
      // The index still has the rows that were deleted.
      const { rows: nearest40 } = await nearestRows<{ id: number }>(trx, hnsw, query, { ...options, limit: 40 })
      await trx('documents')
        .whereIn(
          'id',
          nearest40.map(({ id }) => id),
        )
        .delete()
      const { rows: others, isComplete } = await nearestRows(trx, hnsw, query, options)
      expect([others.length, isComplete]).toEqual([10, true])
      const after = await statementsOf(trx, () => nearestRows(trx, hnsw, query, options))
      expect(after).toEqual([expect.stringContaining('set_config')])
    })
  })

  test('takes one round trip in a transaction of the caller, and puts its settings back', async () => {
    const knex = await fill()
    const options: NearestRowsOptions = { limit: 60, columns: ['id'] }
    await byIndex(knex, async (trx) => {
      await trx.raw(`set local hnsw.ef_search = 17; set local hnsw.iterative_scan = 'off'`)
      const settings = async (): Promise<unknown> => {
        const { rows } = await trx.raw<{ rows: unknown }>(
          `select current_setting('hnsw.ef_search') as ef, current_setting('hnsw.iterative_scan') as scan`,
        )
        return rows
      }
      await nearestRows(trx, hnsw, query, options)
      const sent = await statementsOf(trx, () => nearestRows(trx, hnsw, query, options))
      expect(sent).toHaveLength(1)
      expect(await settings()).toEqual([{ ef: '17', scan: 'off' }])
      // Also where it found nothing.
      const none = await nearestRows(trx, hnsw, query, { ...options, where: { tenant: -1 } })
      expect(none).toEqual({ rows: [], isComplete: true, warnings: [] })
      expect(await settings()).toEqual([{ ef: '17', scan: 'off' }])
      // A query of the caller's own is as far as the caller wanted.
      expect(await trx('documents').select('id').modify(nearest(hnsw, query)).limit(60)).toHaveLength(17)
    })
  })

  test('leaves a stricter time limit of the caller as it is', async () => {
    const knex = await fill()
    await byIndex(knex, async (trx) => {
      await trx.raw(`set local statement_timeout = '700ms'`)
      const limits: unknown[] = []
      trx.on('query-response', (rows: unknown, { sql }: { readonly sql: string }) => {
        if (sql.includes('statement_timeout')) limits.push(rows)
      })
      await nearestRows(trx, hnsw, query, { limit: 200, where: { tenant: 7 } })
      const { rows } = await trx.raw<{ rows: unknown }>(`show statement_timeout`)
      expect(rows).toEqual([{ statement_timeout: '700ms' }])
      expect(JSON.stringify(limits)).not.toContain('1s')
    })
  })

  test('is not ordered by the index where rows are compared one by one', async () => {
    const knex = await fill()
    const sent: { readonly sql: string; readonly bindings: readonly Knex.RawBinding[] }[] = []
    knex.on('query', (message: (typeof sent)[number]) => void sent.push(message))
    await byIndex(knex, (trx) => nearestRows(trx, hnsw, query, { limit: 20, where: { tenant: 7 }, maxScanTuples: 1 }))
    const exact = sent.find(({ sql }) => sql.includes('offset 0'))
    const raw = knex.raw((exact?.sql ?? '').replaceAll('?', '\\?').replace(/\$\d+/g, '?'), exact?.bindings ?? [])
    const plan = await byIndex(knex, (trx) => planOf(trx, raw))
    expect(plan).toContain('Seq Scan')
    expect(plan).not.toContain('Index Scan')
  })
})

function expressionOf(index: (typeof indexes)[keyof typeof indexes]): string {
  const { expression } = index.storage
  if (expression === 'binary quantization') {
    return `(binary_quantize(embedding)::bit(${DIMENSIONS})) bit_hamming_ops`
  }
  if (expression === 'column') return 'embedding vector_cosine_ops'
  return `(embedding::halfvec(${DIMENSIONS})) halfvec_cosine_ops`
}

describe('candidates of an index that stores the values unchanged', () => {
  test('are refused: they would have no effect', async () => {
    const { details } = await expectError('INVALID_OPTIONS', () =>
      nearestRows(unconnected(), hnsw, query, { limit: 5, candidates: 50 }),
    )
    expect(details.problems).toEqual(['candidates: has no effect on an index that stores the values unchanged'])
  })
})

describe('the settings of a search', () => {
  const settings = (index: typeof hnsw, rows: number, version: string): readonly string[] =>
    searchSettingsFor(index, {}, { rows, version, iterativeScan: undefined }).map(
      ({ name, value }) => `${name} = ${value}`,
    )

  test.each([
    ['a few rows', hnsw, 10, '0.8.0', ['hnsw.ef_search = 10', 'hnsw.iterative_scan = relaxed_order']],
    ['many rows', hnsw, 5000, '0.8.0', ['hnsw.ef_search = 1000', 'hnsw.iterative_scan = relaxed_order']],
    [
      'more rows than a scan visits by default',
      hnsw,
      30_000,
      '0.8.7',
      ['hnsw.ef_search = 1000', 'hnsw.iterative_scan = relaxed_order', 'hnsw.max_scan_tuples = 60000'],
    ],
    ['rows of ivfflat', ivfflat, 100, '0.8.0', ['ivfflat.iterative_scan = relaxed_order']],
    ['rows below 0.8.0', hnsw, 100, '0.7.4', ['hnsw.ef_search = 100']],
    ['rows of ivfflat below 0.8.0', ivfflat, 100, '0.7.4', []],
  ])('for %s', (_, index, rows, version, expected) => {
    expect(settings(index, rows, version)).toEqual(expected)
  })
})

describe('a short result', () => {
  const short: ShortSearch = {
    method: 'hnsw',
    version: '0.8.0',
    iterativeScan: undefined,
    found: 3,
    limit: 10,
    offset: 5,
    matching: 100,
  }

  test.each([
    ['is complete where no more rows match', { matching: 8 }, 'complete'],
    ['is complete where fewer rows match than are skipped', { matching: 2, found: 0 }, 'complete'],
    ['is followed by an exact scan of few rows', {}, 'exact'],
    ['is followed by an exact scan of few rows below 0.8.0', { version: '0.7.4' }, 'exact'],
    ['stays short where many rows match', { matching: EXACT_ROWS + 1 }, 'short'],
    ['stays short where counting took too long', { matching: null }, 'short'],
    ['stays short where the caller turned iterative scans off', { iterativeScan: 'off' }, 'short'],
  ] as const)('%s', (_, changes, expected) => {
    expect(decideShort({ ...short, ...changes })).toBe(expected)
  })

  test.each([
    [{ iterativeScan: 'off' }, 'Found 3 of 10 rows. 95 rows match. Turn iterativeScan on, or raise efSearch.'],
    [
      { matching: EXACT_ROWS + 1 },
      'Found 3 of 10 rows. More than 9995 rows match. Raise maxScanTuples and scanMemMultiplier, or create an index on ' +
        'the columns of the condition.',
    ],
    [
      { matching: EXACT_ROWS + 1, version: '0.7.4', method: 'ivfflat' },
      'Found 3 of 10 rows. More than 9995 rows match. Update pgvector to 0.8.0, which has iterative scans, or raise probes.',
    ],
    [
      { matching: null, method: 'ivfflat' },
      'Found 3 of 10 rows. Counting the rows that match took too long, so there may be more. Raise maxProbes, or create ' +
        'an index on the columns of the condition.',
    ],
  ] as const)('names its remedy: %j', (changes, expected) => {
    expect(describeShort({ ...short, ...changes })).toBe(expected)
  })
})
