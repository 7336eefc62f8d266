import { diagnose } from '../src/doctor.ts'
import { createVectorIndex, dropVectorIndex, ensurePgvector, vectorColumn, vectorIndex } from '../src/index.ts'
import { indexUseFindings, type UsedIndex } from '../src/doctor/index-use.ts'
import { spilledBuildFindings, type SpilledBuild } from '../src/doctor/spilled-builds.ts'
import { updateFindings, type UpdatedTable } from '../src/doctor/update-cost.ts'
import { describeOnServers } from './support/databases.ts'

describe('the doctor on updates of a table with an HNSW index', () => {
  const busy: UpdatedTable = {
    table: 'public.documents',
    updates: 10_000,
    hotUpdates: 2000,
    newPageUpdates: 8000,
    rowBytes: 1600,
    fillfactor: 100,
    otherIndexes: [],
  }
  const of = (given: Partial<UpdatedTable>): string[] =>
    updateFindings([{ ...busy, ...given }]).map(({ message, next }) => `${message}\n${next}`)

  test.each<[string, Partial<UpdatedTable>, RegExp]>([
    ['asks for room where pages are full', {}, /no room[^]*SET \(fillfactor = 80\)/],
    ['asks for a rewrite where the setting is new', { fillfactor: 80 }, /no room[^]*VACUUM FULL public\.documents/],
    ['asks for another table where rows are wide', { rowBytes: 6000 }, /no room[^]*\nTo avoid that, move the columns/],
    ['asks for another table where the width is unknown', { rowBytes: null }, /\nTo avoid that, move the columns/],
    [
      'names the index on an updated column',
      { newPageUpdates: 10, otherIndexes: ['seen_idx'] },
      /as by seen_idx\nDrop/,
    ],
    ['names both reasons where the server counts neither', { newPageUpdates: null }, /Either[^]*fillfactor = 80/],
  ])('%s', (_title, given, expected) => {
    expect(of(given)).toEqual([expect.stringMatching(expected)])
  })

  test('ignores few updates, and updates that do not change the index', () => {
    expect(of({ updates: 999, hotUpdates: 0 })).toEqual([])
    expect(of({ hotUpdates: 8000 })).toEqual([])
  })
})

describe('the doctor on the use of indexes', () => {
  const used: UsedIndex = {
    name: 'public.a',
    table: 'public.documents',
    scans: 5,
    tableScans: 5000,
    bytes: 2 ** 30,
    serves: 'embedding',
  }

  test('reports the duplicate with fewer scans', () => {
    const findings = indexUseFindings([
      used,
      { ...used, name: 'public.b', scans: 7 },
      { ...used, name: 'c', serves: '' },
    ])
    expect(findings).toMatchObject([
      { level: 'warning', message: expect.stringMatching(/^public\.a .* same queries as public\.b/) },
    ])
    expect(findings[0]?.next).toMatch(/^DROP INDEX CONCURRENTLY public\.a;/)
  })

  test('reports an index that is not used while its table is', () => {
    expect(indexUseFindings([{ ...used, scans: 0 }])).toMatchObject([
      { level: 'warning', next: expect.stringMatching(/^DROP INDEX CONCURRENTLY public\.a;\n-- if it is not new/) },
    ])
    expect(indexUseFindings([used])).toEqual([])
    expect(indexUseFindings([{ ...used, scans: 0, tableScans: 10 }])).toEqual([])
    expect(indexUseFindings([{ ...used, scans: 0, bytes: 8192 }])).toEqual([])
  })

  test('does not advise to drop the unused index of a tenant, which its rule would build again', () => {
    const ofTenant = { ...used, name: 'public."A_tenant_0123456789ab"', serves: 'a where tenant', scans: 0 }
    expect(indexUseFindings([used, ofTenant])).toEqual([
      expect.objectContaining({
        message: expect.stringContaining('the index of a big tenant'),
        next: expect.stringContaining('raise `above` of the rule'),
      }),
    ])
  })
})

describeOnServers('the doctor', (database) => {
  test('finds duplicates and slow updates, and names their tables', async () => {
    const { knex, connect } = database()
    await knex.raw(`create extension vector; create schema "My Docs";
      create table "My Docs"."Documents" (id int primary key, seen int, embedding vector(100));
      insert into "My Docs"."Documents" select n, 0, array_fill(n, '{100}')::vector from generate_series(1, 500) n;
      create index a on "My Docs"."Documents" using hnsw (embedding vector_l2_ops);
      create index b on "My Docs"."Documents" using hnsw (embedding vector_l2_ops) with (m = 8);
      create index other on "My Docs"."Documents" using hnsw (embedding vector_cosine_ops);
      create index part on "My Docs"."Documents" using hnsw (embedding vector_l2_ops) where id < 9;
      create index seen on "My Docs"."Documents" (seen);
      analyze "My Docs"."Documents"`)
    await knex.raw('update "My Docs"."Documents" set seen = seen + 1')
    await knex.raw('update "My Docs"."Documents" set seen = seen + 1')
    await knex.raw('update "My Docs"."Documents" set seen = seen + 1; select pg_stat_force_next_flush()')
    const findings = (await diagnose(connect())).filter(
      ({ check, level }) => check === 'indexes' && level === 'warning',
    )
    expect(findings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^"My Docs"\.[ab] on "My Docs"\."Documents" serves the same queries as "My Docs"\.[ab]/),
      expect.stringMatching(/^1,500 updates of "My Docs"\."Documents", and \d+ % of them left its indexes alone/),
    ])
  })
})

describe('the doctor on builds past their memory', () => {
  const MB = 1024 * 1024
  const spilled: SpilledBuild = {
    name: 'public.near',
    table: 'documents',
    rows: 100_000,
    spillsAfter: 40_000,
    neededMemory: 500 * MB,
    maintenanceWorkMemory: 200 * MB,
  }
  const of = (memory: number): string[] =>
    spilledBuildFindings({ settings: { maintenanceWorkMemory: memory, sharedBuffers: MB }, builds: [spilled] }).map(
      ({ level, message, next }) => `${level}: ${message} | ${next}`,
    )

  test('gives the memory for the next build', () => {
    expect(of(300 * MB)).toEqual([
      'warning: public.near on documents was built past its memory: its graph needed 500 MB, and with 200 MB each of the ' +
        'last 60,000 of 100,000 rows took many times as long. The index works, but its next build would take as long | ' +
        "createVectorIndex(knex, index, { maxMemory: '550MB' }) -- or SET maintenance_work_mem = '550MB'; before a REINDEX, if the server has the memory",
    ])
  })

  test('has nothing to advise where the next build has enough, and says nothing without a log', () => {
    expect(of(500 * MB)).toEqual([expect.stringMatching(/^ok: .*; the next build has enough \| undefined$/)])
    expect(spilledBuildFindings(null)).toEqual([])
  })
})

describeOnServers('the doctor on an index that it finds in the log', (database) => {
  const index = vectorIndex(vectorColumn('documents', 'embedding', { dimensions: 64 }), {
    method: 'hnsw',
    metric: 'l2',
    m: 4,
    efConstruction: 8,
  })
  const past = async (): Promise<readonly string[]> =>
    (await diagnose(database().knex))
      .filter(({ message }) => message.includes('past its memory'))
      .map(({ level, message }) => `${level}: ${message}`)

  test('reports a build past its memory, until it is built again with enough', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw(`create table documents as select i as id, array_fill(sin(i)::real, array[64])::vector(64) as embedding
      from generate_series(1, 6000) i; analyze documents`)
    await createVectorIndex(knex, index, { logger: false, maxMemory: '2MB' })
    expect(await past()).toEqual([
      expect.stringMatching(
        /^\w+: public\.\S+ on documents was built past its memory: its graph needed \d MB, and with 2 MB each of the last \S+ of 6,000 rows/,
      ),
    ])
    await dropVectorIndex(knex, index, { logger: false })
    await createVectorIndex(knex, index, { logger: false })
    expect(await past()).toEqual([])
  })
})
