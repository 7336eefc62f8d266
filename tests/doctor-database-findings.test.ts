import type { Finding } from '../src/doctor.ts'
import type { LockHolder } from '../src/core/errors.ts'
import { settingsFindings } from '../src/doctor/build-memory.ts'
import type { BuildFacts } from '../src/doctor/build-facts.ts'
import { indexFindings } from '../src/doctor/indexes.ts'
import { lockFindings, type LockFacts } from '../src/doctor/lock.ts'
import { migrationFindings, type Recorded } from '../src/doctor/migrations.ts'
import type { InvalidIndex } from '../src/doctor/read-indexes.ts'
import { healthy, withVersion } from './support/healthy-state.ts'

const MEBIBYTE = 1024 * 1024

const tables = { migrations: '"knex_migrations"', lock: '"knex_migrations_lock"', runs: '"knex_migrations_runs"' }

const levels = (findings: readonly Finding[]): string[] => findings.map(({ level }) => level)
const steps = (findings: readonly Finding[]): (string | undefined)[] => findings.map(({ next }) => next)

describe('indexes', () => {
  const invalid: InvalidIndex = {
    name: 'public.documents_idx',
    table: 'documents',
    method: 'hnsw',
    definition: 'CREATE INDEX documents_idx ON public.documents USING hnsw (embedding vector_l2_ops)',
    isPartitioned: false,
    isLeftover: false,
    isInWork: false,
    partitionsWithout: [],
  }
  const of = (index: Partial<InvalidIndex>): Finding[] =>
    indexFindings({ vector: [], invalid: [{ ...invalid, ...index }], builds: [] })

  test.each<[string, Partial<InvalidIndex>, Finding['level'], string]>([
    ['on vectors is dropped and built again', {}, 'error', 'npx knex-pgvector index repair'],
    [
      'of another kind is a warning',
      { method: 'btree' },
      'warning',
      'REINDEX INDEX CONCURRENTLY public.documents_idx;',
    ],
    [
      'that belongs to a partitioned one cannot be dropped',
      { name: 'public.documents_1_idx', table: 'documents_1' },
      'error',
      'npx knex-pgvector index repair',
    ],
    [
      'that a REINDEX left behind is dropped',
      { name: 'public.documents_idx_ccnew1', isLeftover: true },
      'warning',
      'npx knex-pgvector index repair',
    ],
    ['that another session is at is left alone', { isInWork: true }, 'unknown', 'Run this again when it has ended.'],
  ])('an invalid one %s', (_title, index, level, next) => {
    expect(of(index)).toMatchObject([{ level, next }])
  })

  test('an unfinished one on a partitioned table lists the statements that finish it', () => {
    const part = { table: 'parts_2', isPartitioned: false, index: 'parts_2_e', qualifiedIndex: 'public.parts_2_e' }
    const definition = 'CREATE INDEX parts_e ON ONLY public.parts USING hnsw (e vector_l2_ops)'
    const findings = of({ name: 'public.parts_e', definition, isPartitioned: true, partitionsWithout: [part] })
    expect(steps(findings)).toEqual([
      'CREATE INDEX CONCURRENTLY parts_2_e ON parts_2 USING hnsw (e vector_l2_ops); ' +
        'ALTER INDEX public.parts_e ATTACH PARTITION public.parts_2_e;',
    ])
  })

  test('of which all are valid are named, five at most', () => {
    const vector = Array.from({ length: 7 }, (_, index) => ({ name: `i${index}`, method: 'hnsw' as const }))
    expect(indexFindings({ vector, invalid: [], builds: [] })).toEqual([
      {
        level: 'ok',
        check: 'indexes',
        message: 'all valid: i0 (hnsw), i1 (hnsw), i2 (hnsw), i3 (hnsw), i4 (hnsw) and 2 more',
      },
    ])
  })
})

describe('settings', () => {
  const settings: BuildFacts = {
    settings: {
      maintenanceWorkMemory: 64 * MEBIBYTE,
      sharedBuffers: 128 * MEBIBYTE,
      maintenanceWorkers: 2,
      minParallelScan: 8 * MEBIBYTE,
    },
    mostMemory: 2_147_483_647 * 1024,
    sharedMemory: 'posix',
    graphs: [],
  }
  const documents = {
    table: 'documents',
    index: 'documents_idx',
    column: 'embedding',
    type: 'vector',
    dimensions: 1536,
    m: 16,
    rows: 1_000_000,
    tableSize: 1024 * MEBIBYTE,
  } as const

  test('are enough where every graph fits', () => {
    const findings = settingsFindings(healthy, { ...settings, graphs: [{ ...documents, rows: 1000 }] })
    expect(levels(findings)).toEqual(['ok'])
  })

  test('are too small for a million vectors, and the message says by how much', () => {
    const [finding, container] = settingsFindings(healthy, { ...settings, graphs: [documents] })
    expect(finding).toMatchObject({
      level: 'warning',
      message: expect.stringMatching(/documents_idx on documents \(vector\(1536\), m = 16\) needs about 6\.4 GB/),
      next: expect.stringMatching(/^SET maintenance_work_mem = '6514MB';/),
    })
    expect(container).toMatchObject({ level: 'unknown', next: 'In Docker: --shm-size=6578m' })
  })

  test('are computed for the type that an index on so many dimensions needs', () => {
    const wide = { ...documents, index: null, dimensions: 3072 }
    const [finding] = settingsFindings(healthy, { ...settings, graphs: [wide] })
    expect(finding?.message).toMatch(
      /an HNSW index on documents\.embedding \(halfvec\(3072\), m = 16\) needs about 6\.4 GB/,
    )
  })

  test('never ask for more than the server accepts', () => {
    const limited = { ...settings, mostMemory: 2048 * MEBIBYTE - 1, graphs: [documents] }
    expect(steps(settingsFindings(healthy, limited))[0]).toMatch(/^SET maintenance_work_mem = '2047MB';/)
  })

  test('say nothing of containers on a managed host', () => {
    const findings = settingsFindings({ ...healthy, provider: 'rds' }, { ...settings, graphs: [documents] })
    expect(levels(findings)).toEqual(['warning'])
  })

  test('are not compared for a release whose graph has another layout', () => {
    expect(levels(settingsFindings(withVersion('0.5.1'), { ...settings, graphs: [documents] }))).toEqual(['ok'])
  })
})

describe('migrations', () => {
  const of = (names: readonly string[], applied: readonly string[] | null): Finding[] =>
    migrationFindings({ names, allowsMissing: false }, { names: applied }, tables.migrations)

  test.each<[string, readonly string[], readonly string[] | null, Finding['level'], string | undefined]>([
    ['all applied', ['001_a'], ['001_a'], 'ok', undefined],
    ['some pending', ['001_a', '002_b'], ['001_a'], 'ok', 'npx knex-pgvector up'],
    ['a database that was never migrated', ['001_a'], null, 'ok', 'npx knex-pgvector up'],
    ['a name with an extension in the table', ['001_a'], ['001_a.ts'], 'error', renaming('', '001_a.ts')],
    ['a build that turned .ts into .js', ['001_a.js'], ['001_a.ts'], 'error', renaming('.js', '001_a.ts')],
    ['an extension on disk alone', ['001_a.ts'], ['001_a'], 'error', renaming('.ts', '001_a')],
    [
      'one migration applied under two names',
      ['001_a'],
      ['001_a', '001_a.js'],
      'error',
      `DELETE FROM "knex_migrations" WHERE name IN ('001_a.js');`,
    ],
    [
      'two files with one name',
      ['001_a.js', '001_a.ts'],
      ['001_a.js'],
      'error',
      'Keep one of them: a build belongs in a folder of its own.',
    ],
  ])('%s', (_title, names, applied, level, next) => {
    expect(of(names, applied)).toEqual([expect.objectContaining({ level, ...(next === undefined ? {} : { next }) })])
  })

  test('whose files are missing are named', () => {
    expect(of(['002_b'], ['001_a', '002_b'])).toMatchObject([
      { level: 'error', message: 'Applied migrations are missing on disk: 001_a' },
    ])
  })

  test('that this role may not read about are not guessed at', () => {
    const recorded: Recorded = { reason: 'permission denied for table knex_migrations' }
    expect(migrationFindings({ names: ['001_a'], allowsMissing: false }, recorded, tables.migrations)).toMatchObject([
      { level: 'unknown', message: expect.stringContaining('permission denied') },
    ])
  })

  function renaming(extension: string, name: string): string {
    return `UPDATE "knex_migrations" SET name = regexp_replace(name, '([.][cm]?[jt]s)?$', '${extension}') WHERE name IN ('${name}');`
  }
})

describe('the lock', () => {
  const run: LockHolder = {
    host: 'web-1',
    processId: 4711,
    user: 'deploy',
    role: 'app',
    command: 'up',
    since: '2026-11-21T10:00:00Z',
  }
  const free: LockFacts = { rows: 1, isLocked: false, isNoted: false, processId: null, run: null }
  const held: LockFacts = { ...free, isLocked: true, isNoted: true, run }

  test.each<[string, LockFacts, Finding['level'], RegExp]>([
    ['that is free', free, 'ok', /^free$/],
    [
      'of a running migration names it',
      { ...held, processId: 99 },
      'ok',
      /migration: up by process 4711 on web-1 .* PID 99 has the lock$/,
    ],
    ['of a run that is about to take it', { ...free, processId: 99 }, 'ok', /migration; backend PID 99 has the lock$/],
    [
      'of a dead run names it',
      held,
      'warning',
      /gone: up by process 4711 on web-1 \(user deploy, role app\) since 2026/,
    ],
    ['that stock Knex set', { ...held, isNoted: false }, 'warning', /^set by stock Knex.*has crashed$/],
    [
      'that stock Knex set and a run waits for',
      { ...held, isNoted: false, processId: 99 },
      'warning',
      /^set by stock Knex.*another run waits for it \(backend PID 99\)$/,
    ],
  ])('%s', (_title, facts, level, message) => {
    expect(lockFindings(facts, tables, false)).toMatchObject([{ level, message: expect.stringMatching(message) }])
  })

  test('on the embedded database is always stale', () => {
    expect(lockFindings({ ...held, isNoted: false }, tables, true)).toMatchObject([
      { level: 'warning', next: 'npx knex-pgvector up' },
    ])
  })

  test('with two rows would stop stock Knex for ever', () => {
    expect(lockFindings({ ...free, rows: 2 }, tables, false)[1]).toMatchObject({
      level: 'warning',
      next: 'DELETE FROM "knex_migrations_lock" WHERE index <> (SELECT min(index) FROM "knex_migrations_lock");',
    })
  })
})
