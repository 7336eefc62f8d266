import fc from 'fast-check'

import { graphMilliseconds, graphSpeed, listSpeed, spillFactorOf, timeOf } from '../src/indexes/forecast/build-time.ts'
import type { PilotRun } from '../src/indexes/forecast/pilot.ts'
import { graphPages, listPages, walOfPages } from '../src/pgvector/index-pages.ts'

const graphRun = (rows: number, milliseconds: number): PilotRun => ({ rows, lists: 0, milliseconds })
const listRun = (rows: number, milliseconds: number): PilotRun => ({ rows, lists: 1, milliseconds })

describe('the pages of an index', () => {
  // What pg_relation_size and the position in the WAL showed, of 8,000 rows on PostgreSQL 17 with pgvector 0.8.0.
  test.each([
    { valueBytes: 3080, m: 16, bytes: 32_776_192, wal: 27_281_240 },
    { valueBytes: 1544, m: 16, bytes: 16_392_192, wal: 14_885_296 },
    { valueBytes: 1544, m: 40, bytes: 21_856_256, wal: 17_209_960 },
    { valueBytes: 104, m: 16, bytes: 3_194_880, wal: 3_276_136 },
    { valueBytes: 104, m: 4, bytes: 2_031_616, wal: 2_079_720 },
    { valueBytes: 264, m: 8, bytes: 3_760_128, wal: 3_756_072 },
    { valueBytes: 20, m: 16, bytes: 2_555_904, wal: 2_596_984 },
  ])('are within 1 % of an HNSW index with m = $m on values of $valueBytes bytes', ({ valueBytes, m, bytes, wal }) => {
    const pages = graphPages({ rows: 8000, valueBytes, m })
    expect(Math.abs(pages.bytes / bytes - 1)).toBeLessThan(0.01)
    expect(Math.abs(walOfPages(pages, 'hnsw') / wal - 1)).toBeLessThan(0.03)
  })

  test.each([
    { valueBytes: 3080, lists: 8, bytes: 32_825_344, wal: 25_426_328 },
    { valueBytes: 3080, lists: 100, bytes: 33_374_208, wal: 25_709_320 },
    { valueBytes: 1544, lists: 20, bytes: 13_205_504, wal: 12_811_552 },
    { valueBytes: 264, lists: 20, bytes: 2_375_680, wal: 2_327_760 },
  ])('are within 2 % of an IVFFlat index with $lists lists of values of $valueBytes bytes', (seen) => {
    const pages = listPages({ rows: 8000, valueBytes: seen.valueBytes, lists: seen.lists })
    expect(Math.abs(pages.bytes / seen.bytes - 1)).toBeLessThan(0.02)
    expect(Math.abs(walOfPages(pages, 'ivfflat') / seen.wal - 1)).toBeLessThan(0.03)
  })

  test('are at least one for each list, and grow with the rows', () => {
    const shapes = fc.record({
      valueBytes: fc.integer({ min: 9, max: 8000 }),
      lists: fc.integer({ min: 1, max: 3000 }),
    })
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 0, max: 1e6 }), (shape, some, more) => {
        const few = listPages({ ...shape, rows: some })
        const many = listPages({ ...shape, rows: some + more })
        expect(few.bytes).toBeGreaterThan(shape.lists * 8192)
        expect(many.bytes).toBeGreaterThanOrEqual(few.bytes)
        expect(few.usedBytes).toBeLessThanOrEqual(few.bytes)
      }),
    )
  })

  test('of an empty index are the metadata and at most one more', () => {
    expect(graphPages({ rows: 0, valueBytes: 1544 }).bytes).toBe(2 * 8192)
  })
})

describe('the time of a build', () => {
  const work = { rows: 100_000, lists: 0, workers: 0, spillsAfter: null, spillFactor: null } as const

  test('grows as two sizes of the pilot show, whose slower runs are ignored', () => {
    const time = (rows: number): number => graphMilliseconds({ constant: 0.05, perLogarithm: 0.02 }, rows)
    const speed = graphSpeed([graphRun(1000, 900), graphRun(1000, time(1000)), graphRun(4000, time(4000))])
    if (speed === null) throw new Error('there are runs')
    expect(timeOf(speed, work).likely).toBeCloseTo(time(100_000) / 1000, 6)
  })

  test('is wider where the pilot had one size, and never shrinks with more rows', () => {
    const speed = graphSpeed([graphRun(1000, 200)])
    if (speed === null) throw new Error('there is a run')
    const { low, likely, high } = timeOf(speed, work)
    expect(likely).toBeGreaterThan(20)
    expect([low / likely, high / likely]).toEqual([0.6, 1.8])
    const shrinking = graphSpeed([graphRun(1000, 200), graphRun(4000, 400)])
    expect(shrinking).toMatchObject({ perLogarithm: 0 })
  })

  test('is that of rows in memory and of slower ones after them', () => {
    const speed = { method: 'hnsw', constant: 1, perLogarithm: 0, isFitted: true } as const
    const spilled = timeOf(speed, { ...work, spillsAfter: 40_000, spillFactor: spillFactorOf(true) })
    expect(spilled.likely).toBeCloseTo(40 + 60 * 3.5)
    expect(spilled.high).toBeCloseTo(1.35 * (40 + 60 * 3.7))
    const uncached = timeOf(speed, { ...work, spillsAfter: 40_000, spillFactor: spillFactorOf(false) })
    expect(uncached.low).toBeCloseTo(0.75 * (40 + 60 * 7))
  })

  test('is shorter with workers', () => {
    const speed = { method: 'hnsw', constant: 1, perLogarithm: 0, isFitted: true } as const
    expect(timeOf(speed, { ...work, workers: 2 }).likely).toBeCloseTo(100 / 2.4)
  })

  test('of lists is that of the distances to them, and of the rows', () => {
    const [perRow, perDistance] = [0.01, 0.0001]
    // 5 ms are the same for any number of rows.
    const time = (rows: number): number => 5 + rows * (perRow + 1.8 * perDistance)
    const runs = [listRun(1000, time(1000)), listRun(4000, time(4000)), listRun(1000, 400)]
    const speed = listSpeed(runs, perDistance)
    if (speed === null) throw new Error('there are runs')
    // A table is larger than the caches that held the pilot.
    expect([speed.perRow / perRow, speed.perDistance / perDistance]).toEqual([expect.closeTo(2), expect.closeTo(2)])
    const expected = (2 * (perRow * 100_000 + perDistance * 100 * (0.8 * 100_000 + 10_000))) / 1000
    expect(timeOf(speed, { ...work, lists: 100 }).likely).toBeCloseTo(expected)
  })

  test('is unknown without runs, or without the time of a distance', () => {
    const [few, many] = [listRun(1000, 20), listRun(4000, 50)]
    expect([graphSpeed([]), listSpeed([few, many], null), listSpeed([few], 0.1)]).toEqual([null, null, null])
  })
})
