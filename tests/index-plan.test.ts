import { type IndexPlan, type PlanIndexOptions, vectorColumn, vectorIndex, type VectorIndex } from '../src/index.ts'
import { parseOptions } from '../src/core/parse-options.ts'
import { limitOptions } from '../src/indexes/build/options.ts'
import { planFromFacts } from '../src/indexes/decide/plan.ts'
import type { ExistingIndex, IndexFacts, TableFacts } from '../src/indexes/look/facts.ts'
import { graphMemory } from '../src/pgvector/graph-memory.ts'

const MEBIBYTE = 1024 * 1024
const GIBIBYTE = 1024 * MEBIBYTE

const column = vectorColumn('documents', 'embedding', { dimensions: 384 })
const hnsw = vectorIndex(column, { method: 'hnsw', metric: 'cosine' })
const ivfflat = vectorIndex(column, { method: 'ivfflat', metric: 'cosine' })

const table: TableFacts = {
  oid: 1,
  schema: 'public',
  name: 'documents',
  rights: { role: 'app', lacking: [], owner: 'app', isOwner: true },
  kind: 'ordinary',
  isTemporary: false,
  isMadeHere: false,
  isAnalysed: true,
  heapBytes: 80 * MEBIBYTE,
  totalBytes: 80 * MEBIBYTE,
  hidesRows: false,
  expectedRows: null,
  parallelWorkers: null,
  partitions: [],
}

const existing: ExistingIndex = {
  oid: 2,
  name: hnsw.name,
  schema: 'public',
  definition: 'CREATE INDEX …',
  method: 'hnsw',
  operatorClass: 'vector_cosine_ops',
  isKnownClass: true,
  key: 'embedding',
  columns: 1,
  condition: null,
  options: [],
  isValid: true,
  isPartitioned: false,
  parent: null,
}

const facts: IndexFacts = {
  server: { version: '17.6', major: 17 },
  canCheckConnection: true,
  readOnly: null,
  isCitus: false,
  extension: { version: '0.8.0', schema: 'public', available: null },
  settings: {
    maintenanceWorkMemory: 64 * MEBIBYTE,
    sharedBuffers: 128 * MEBIBYTE,
    maintenanceWorkers: 2,
    minParallelScan: 8 * MEBIBYTE,
  },
  table,
  column: { type: 'vector(384)', isExtensionType: true, quoted: 'embedding' },
  indexes: [],
  namesake: null,
  builds: [],
  isInTransaction: false,
  processors: null,
  othersAtWork: [],
  rows: 50_000,
  emptyPartitions: [],
  valueBytes: null,
  sameConditions: null,
}

describe('what is done about an index', () => {
  const cases: readonly [string, Partial<IndexFacts>, string][] = [
    ['that is not there is to build it', {}, 'build'],
    ['that is there and valid is to keep it', { indexes: [existing] }, 'keep'],
    ['whose defaults are spelt out is to keep it', { indexes: [{ ...existing, options: ['m=16'] }] }, 'keep'],
    ['that is built elsewhere is to wait', { builds: [{ processId: 7, index: 9 }] }, 'wait'],
    ['of a partitioned table is to build its parts', { table: { ...table, kind: 'partitioned' } }, 'build partitions'],
    ['without its extension is to refuse', { extension: null }, 'refuse PGVECTOR_NOT_ENABLED'],
    [
      'on an older extension is to refuse',
      { extension: { version: '0.4.4', schema: 'x', available: null } },
      'refuse PGVECTOR_VERSION_TOO_LOW',
    ],
    ['without its table is to refuse', { table: null }, 'refuse RELATION_NOT_FOUND'],
    ['without its column is to refuse', { column: null }, 'refuse RELATION_NOT_FOUND'],
    [
      'of another type is to refuse',
      { column: { type: 'vector(768)', isExtensionType: true, quoted: 'embedding' } },
      'refuse COLUMN_DIFFERS',
    ],
    [
      'whose name another one has is to refuse',
      { indexes: [{ ...existing, options: ['m=32'] }] },
      'refuse INDEX_DIFFERS',
    ],
    ['whose name something else has is to refuse', { namesake: 'the relation x' }, 'refuse INDEX_DIFFERS'],
    ['on a standby is to refuse', { readOnly: { reason: 'standby', primary: null } }, 'refuse READ_ONLY'],
    [
      'in a schema where the role may make nothing is to refuse',
      { table: { ...table, rights: { ...table.rights, lacking: ['CREATE'] } } },
      'refuse INSUFFICIENT_PRIVILEGE',
    ],
    [
      'that is there on a standby is to keep it',
      { readOnly: { reason: 'standby', primary: null }, indexes: [existing] },
      'keep',
    ],
    ['in a transaction is to refuse', { isInTransaction: true }, 'refuse INDEX_BUILD_FAILED'],
    ['in a transaction without rows is to build it', { isInTransaction: true, rows: 0 }, 'build'],
    [
      'in the transaction that made its table is to build it',
      { isInTransaction: true, table: { ...table, isMadeHere: true } },
      'build',
    ],
  ]

  test.each(cases)('%s', (_, differing, expected) => {
    expect(summary(planFromFacts({ ...facts, ...differing }, hnsw, {}))).toBe(expected)
  })

  test('that was left invalid is to drop that first, whatever its name is', () => {
    const leftover = { ...existing, name: 'by_hand', isValid: false }
    expect(build({ indexes: [leftover] })).toMatchObject({ leftovers: [leftover], how: 'concurrently' })
  })

  test('that is an invalid part of a partitioned index is to rebuild it, with the lists that it has', () => {
    const part = { ...existing, method: 'ivfflat', parent: 3, isValid: false, options: ['lists=70'] }
    const leftover = { ...part, name: 'by_hand', parent: null }
    const valid = { ...leftover, name: 'of_its_own', isValid: true }
    const plan = build({ indexes: [part, leftover, valid] }, { ...ivfflat, name: part.name })
    expect(plan).toMatchObject({ rebuilds: part, leftovers: [leftover], parameters: { lists: 70 } })
    const inTransaction = { indexes: [part, valid], isInTransaction: true }
    expect(planFromFacts({ ...facts, ...inTransaction }, ivfflat, {})).toMatchObject({
      action: 'keep',
      existing: valid,
    })
  })

  test.each([
    [undefined, 'refuse INDEX_NEEDS_ROWS'],
    ['refuse', 'refuse INDEX_NEEDS_ROWS'],
    ['postpone', 'postpone'],
    ['build', 'build'],
  ] as const)('of ivfflat without rows, when told %s, is to %s', (whenEmpty, expected) => {
    expect(summary(planFromFacts({ ...facts, rows: 0 }, ivfflat, { whenEmpty }))).toBe(expected)
  })
})

describe('the lists of an ivfflat index', () => {
  test.each([
    [1, 1],
    [999, 1],
    [50_000, 50],
    [1_000_000, 1000],
    [4_000_000, 2000],
    [1e10, 32_768],
  ])('for %d rows are %d', (rows, lists) => {
    expect(build({ rows }, ivfflat).parameters).toEqual({ lists })
  })

  test('are those that were asked for', () => {
    const asked = vectorIndex(column, { method: 'ivfflat', metric: 'cosine', lists: 7 })
    expect(build({}, asked).parameters).toEqual({ lists: 7 })
  })
})

describe('the settings of a build', () => {
  const needed = graphMemory(50_000, { type: 'vector', dimensions: 384, isParallel: true, major: 17 })

  test('have memory for the whole graph, and no more than that with a margin', () => {
    const { settings, warnings } = build({})
    expect(settings.maintenanceWorkMemory).toBeGreaterThan(needed)
    expect(settings.maintenanceWorkMemory).toBeLessThan(needed * 1.2)
    expect(settings).toMatchObject({ workers: 2, neededMemory: needed, spillsAfter: null })
    expect(warnings).toEqual([])
  })

  test('stay within shared_buffers, and the warning says when it spills and what to do', () => {
    const { settings, warnings } = build({ rows: 1_000_000 })
    expect(settings.maintenanceWorkMemory).toBe(128 * MEBIBYTE)
    expect(settings.spillsAfter).toBeLessThan(60_000)
    expect(warnings).toEqual([expect.stringContaining(`after about ${settings.spillsAfter} rows`)])
    expect(warnings[0]).toMatch(/pass \{ maxMemory: '2\d\d\dMB' \}; an index with \{ storage: 'halfvec' \}/)
  })

  test('take what was allowed', () => {
    expect(build({ rows: 1_000_000 }, hnsw, { maxMemory: 4 * GIBIBYTE })).toMatchObject({
      settings: { spillsAfter: null },
      warnings: [],
    })
    expect(build({}, hnsw, { maxMemory: 16 * MEBIBYTE }).settings.maintenanceWorkMemory).toBe(16 * MEBIBYTE)
  })

  test('leave the memory of the server as it is where that is more than enough', () => {
    const settings = { ...facts.settings, maintenanceWorkMemory: GIBIBYTE }
    expect(build({ settings }).settings.maintenanceWorkMemory).toBe(GIBIBYTE)
  })

  test.each([
    ['several processes where there is enough to do', {}, {}, { workers: 2, minParallelScan: null }],
    ['as many as were asked for', {}, { workers: 5 }, { workers: 5 }],
    ['as many as the table allows', { parallelWorkers: 1 }, {}, { workers: 1 }],
    ['one for a small table', { heapBytes: MEBIBYTE, totalBytes: MEBIBYTE }, {}, { workers: 0 }],
    ['one for a temporary table', { isTemporary: true }, {}, { workers: 0 }],
    ['several for vectors beside a small table', { heapBytes: MEBIBYTE }, {}, { workers: 2, minParallelScan: 0 }],
    ['one where there is no memory for more', {}, { maxMemory: 63 * MEBIBYTE }, { workers: 0 }],
  ] as const)('start %s', (_, differing, options, expected) => {
    expect(build({ table: { ...table, ...differing } }, hnsw, options).settings).toMatchObject(expected)
  })

  test.each([
    ['not more than the server has processors', { processors: 2 }, {}, 1],
    ['one alone where the server has one processor', { processors: 1 }, {}, 0],
    ['not more than the server allows, whatever its processors', { processors: 64 }, {}, 2],
    ['one fewer than processors are free, beside others', { processors: 3, othersAtWork: [7, 8] }, {}, 1],
    ['one alone beside others where there are two processors', { processors: 2, othersAtWork: [7] }, {}, 0],
    ['one alone beside others where the server has one processor', { processors: 1, othersAtWork: [7] }, {}, 0],
    ['all that are allowed beside others, where processors are left', { processors: 8, othersAtWork: [7] }, {}, 2],
    ['as many as were asked for, also beside others', { processors: 2, othersAtWork: [7] }, { workers: 1 }, 1],
    ['as many as were asked for, also where the server has fewer processors', { processors: 2 }, { workers: 5 }, 5],
  ] as const)('start %s', (_, differing, options, workers) => {
    expect(build(differing, hnsw, options).settings.workers).toBe(workers)
  })

  test('start one process before pgvector 0.6.0, which knows no other way', () => {
    const { settings } = build({ extension: { version: '0.5.1', schema: 'public', available: null } })
    expect(settings).toMatchObject({ workers: 0, neededMemory: null, spillsAfter: null })
  })
})

function build(
  differing: Partial<IndexFacts>,
  index: VectorIndex = hnsw,
  options: PlanIndexOptions = {},
): Extract<IndexPlan, { readonly action: 'build' }> {
  const plan = planFromFacts({ ...facts, ...differing }, index, parseOptions(limitOptions, options))
  if (plan.action !== 'build') throw new Error(`expected a build, not ${summary(plan)}`)
  return plan
}

function summary(plan: IndexPlan): string {
  return plan.action === 'refuse' ? `refuse ${plan.error.code}` : plan.action
}
