import {
  createVectorIndex,
  diffVectors,
  dropTenantIndexes,
  ensureTenantIndexes,
  migration,
  planTenantIndexes,
  repairVectorIndexes,
  TenantIndexes,
  tenantRule,
  vectorIndex,
  type TenantIndexesEvent,
} from '../src/index.ts'
import { diagnose } from '../src/doctor.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { indexesOf } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { statementsOf } from './support/recorder.ts'
import { addRows, byMeaning, createTenants, embedding, quiet } from './support/tenants.ts'
import { unconnected } from './support/unconnected.ts'

const rule = tenantRule(byMeaning, { column: 'tenant_id', above: 20, atMost: 2 })

const tenantsOf = (indexes: readonly { readonly tenant: string }[]): string[] => indexes.map(({ tenant }) => tenant)

describe('a rule for tenants', () => {
  test('has a limit of 20,000 rows and 50 indexes', () => {
    expect(tenantRule(byMeaning, { column: 'tenant_id' })).toMatchObject({ above: 20_000, atMost: 50 })
  })

  test('names every wrong option', async () => {
    const wrong = { column: '', above: 0.5, atMost: 5000, below: 3 }
    const { details } = await expectError('INVALID_OPTIONS', () => Promise.resolve(tenantRule(byMeaning, wrong)))
    expect(details.problems.map((problem) => problem.split(':')[0])).toEqual(
      expect.arrayContaining(['column', 'above', 'atMost']),
    )
    expect(details.problems.join()).toContain('below')
  })

  test('is an operation outside a transaction, whose rollback can be in one', () => {
    const operation = new TenantIndexes(byMeaning, { column: 'tenant_id' }, quiet)
    expect(operation).toMatchObject({
      description: 'build indexes like documents_embedding_hnsw_cosine_idx for each big tenant_id',
      transaction: false,
      downInTransaction: true,
    })
    expect(migration([new TenantIndexes(rule)]).config).toEqual({ transaction: false })
  })

  test('must be created by tenantRule', async () => {
    await expectError('INVALID_OPTIONS', () => ensureTenantIndexes(unconnected(), byMeaning as never))
  })
})

describeOnEveryDatabase('the indexes of tenants', (database) => {
  test('are built for the biggest, one after the other, and nothing is done again', async () => {
    const { knex } = database()
    await createTenants(knex)
    for (const [tenant, rows] of [
      [1, 30],
      [2, 50],
      [3, 40],
      [4, 20],
      [null, 90],
    ] as const)
      await addRows(knex, tenant, rows)
    await knex('documents').insert(Array.from({ length: 60 }, () => ({ tenant_id: 5 })))
    const events: TenantIndexesEvent[] = []
    const planned = await planTenantIndexes(knex, rule)
    const result = await ensureTenantIndexes(knex, rule, { ...quiet, onEvent: (event) => void events.push(event) })
    expect(result).toEqual({
      built: [
        {
          tenant: '2',
          index: expect.stringMatching(/^documents_embedding_hnsw_cosine_tenant_[0-9a-f]{12}$/),
          rows: 50,
        },
        { tenant: '3', index: expect.any(String), rows: 40 },
      ],
      dropped: [],
      kept: [],
      warnings: [],
    })
    expect(planned).toEqual({ build: result.built, drop: [], keep: [], warnings: [] })
    expect(events.filter(({ type }) => type !== 'progress' && type !== 'waiting')).toEqual([
      { type: 'planned', build: result.built, drop: [], keep: [] },
      { type: 'built', ...result.built[0], done: 1, total: 2 },
      { type: 'built', ...result.built[1], done: 2, total: 2 },
    ])
    const indexes = await indexesOf(knex)
    expect(indexes.map(({ isValid }) => isValid)).toEqual([true, true])
    const conditions = indexes.map(({ definition }) => definition.replace(/.* WHERE /, ''))
    expect(new Set(conditions)).toEqual(new Set(['(tenant_id = 2)', '(tenant_id = 3)']))
    const statements = await statementsOf(knex, async () => {
      expect(await ensureTenantIndexes(knex, rule, quiet)).toEqual({
        built: [],
        dropped: [],
        kept: result.built,
        warnings: [],
      })
    })
    expect(statements.filter((statement) => /^\s*(create|drop|insert)/.test(statement))).toEqual([])
  })

  test('are dropped when their tenant has become small or was deleted', async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    await addRows(knex, 2, 30)
    await ensureTenantIndexes(knex, rule, quiet)
    await knex('documents').where({ tenant_id: 1 }).delete()
    await knex.raw('delete from documents where id in (select id from documents where tenant_id = 2 limit 10)')
    await addRows(knex, 3, 40)
    const events: string[] = []
    const result = await ensureTenantIndexes(knex, rule, { ...quiet, onEvent: ({ type }) => void events.push(type) })
    expect([tenantsOf(result.dropped), tenantsOf(result.built), tenantsOf(result.kept)]).toEqual([['1'], ['3'], ['2']])
    expect(events.filter((type) => type !== 'progress' && type !== 'waiting')).toEqual(['planned', 'dropped', 'built'])
    expect(await indexesOf(knex)).toHaveLength(2)
  })

  test.each([
    { type: 'bigint', values: ['9007199254740993', '-1'] },
    { type: 'smallint', values: ['7', '-7'] },
    { type: 'uuid', values: ['a3bb189e-8bf9-4888-9912-ace4e6543002', '00000000-0000-0000-0000-000000000000'] },
    { type: 'text', values: ["it's \\'; drop table documents; --", 'ä"€'.repeat(33)] },
    { type: 'text', values: ['what? \\? $1 $$', '\n:name ??'] },
    { type: 'varchar(100)', values: ['x'.repeat(100), ' '] },
  ])('are right for tenants of type $type: $values.0', async ({ type, values }) => {
    const { knex } = database()
    await createTenants(knex, type)
    for (const value of values) await addRows(knex, value, 30)
    const { built } = await ensureTenantIndexes(knex, rule, quiet)
    expect(tenantsOf(built).toSorted()).toEqual(values.toSorted())
    for (const { index } of built) expect(Buffer.byteLength(index)).toBeLessThanOrEqual(63)
    expect(tenantsOf((await ensureTenantIndexes(knex, rule, quiet)).kept).toSorted()).toEqual(values.toSorted())
    await knex('documents').delete()
    expect(tenantsOf((await ensureTenantIndexes(knex, rule, quiet)).dropped).toSorted()).toEqual(values.toSorted())
    expect(await indexesOf(knex)).toEqual([])
  })

  test('have the condition of their index, and lists of their own', async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 1, 60)
    const some = vectorIndex(embedding, { method: 'ivfflat', metric: 'l2', lists: 40, where: 'id > 30 or id = 7' })
    const ofSome = tenantRule(some, { column: 'tenant_id', above: 20 })
    const { built } = await ensureTenantIndexes(knex, ofSome, quiet)
    expect(built).toEqual([expect.objectContaining({ tenant: '1', rows: 31 })])
    expect(await indexesOf(knex)).toEqual([
      expect.objectContaining({
        definition: expect.stringMatching(/lists='1'\) WHERE \(\(\(id > 30\) OR \(id = 7\)\) AND \(tenant_id = 1\)\)$/),
      }),
    ])
    expect((await planTenantIndexes(knex, ofSome)).keep).toEqual(built)
  })

  test("never replace or drop a colleague's index, whatever its name", async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    const { built } = await ensureTenantIndexes(knex, rule, quiet)
    const name = built[0]?.index ?? ''
    await dropTenantIndexes(knex, rule, quiet)
    await knex.raw(
      'create index by_hand on documents using hnsw (embedding vector_cosine_ops) with (m = 16, ef_construction = 64) where tenant_id = 1',
    )
    expect((await ensureTenantIndexes(knex, rule, quiet)).kept).toEqual([{ tenant: '1', index: 'by_hand', rows: 30 }])
    await knex.raw('alter index by_hand rename to ??', [name])
    await knex('documents').delete()
    const { dropped, kept, warnings } = await ensureTenantIndexes(knex, rule, quiet)
    expect({ dropped, kept }).toEqual({ dropped: [], kept: [] })
    expect(warnings).toEqual([expect.stringContaining(`Index "${name}" has the name of a tenant's index, but`)])
    expect((await dropTenantIndexes(knex, rule, quiet)).dropped).toEqual([])
    expect(await indexesOf(knex)).toHaveLength(1)
  })

  test('are kept where the log does not show who built them', async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    await ensureTenantIndexes(knex, rule, quiet)
    await knex('documents').delete()
    const { dropped, warnings } = await ensureTenantIndexes(knex, rule, { ...quiet, log: false })
    expect(dropped).toEqual([])
    expect(warnings).toEqual([expect.stringContaining('DROP INDEX CONCURRENTLY "public"."documents_embedding')])
  })

  test('that a killed build left invalid are built again', async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    const { built } = await ensureTenantIndexes(knex, rule, quiet)
    await knex.raw('update pg_index set indisvalid = false where indexrelid = ?::regclass', [built[0]?.index ?? ''])
    expect((await ensureTenantIndexes(knex, rule, quiet)).built).toEqual(built)
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ isValid: true })])
  })

  test('that a killed build left invalid are dropped when their tenant is no longer big', async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    const { built } = await ensureTenantIndexes(knex, rule, quiet)
    // A killed build has logged only that it began.
    await knex('pgvector_migration_log').where({ event: 'index built' }).delete()
    await knex.raw('update pg_index set indisvalid = false where indexrelid = ?::regclass', [built[0]?.index ?? ''])
    await knex('documents').delete()
    expect(tenantsOf((await ensureTenantIndexes(knex, rule, quiet)).dropped)).toEqual(['1'])
    expect(await indexesOf(knex)).toEqual([])
  })

  test('are built by a migration and dropped by its rollback, also those of later runs', async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    const migrator = createMigrator(knex, {
      migrationSource: {
        getMigrations: () => Promise.resolve(['001_tenants']),
        getMigrationName: (name: string) => name,
        getMigration: () =>
          Promise.resolve(migration([new TenantIndexes(byMeaning, { column: 'tenant_id', above: 20 }, quiet)])),
      },
    })
    await migrator.up()
    await addRows(knex, 2, 40)
    await ensureTenantIndexes(knex, rule, quiet)
    expect(await indexesOf(knex)).toHaveLength(2)
    await createVectorIndex(knex, byMeaning, quiet)
    await migrator.down()
    expect((await indexesOf(knex)).map(({ name }) => name)).toEqual([byMeaning.name])
  })

  test('belong to the declared index, or to the declared rule', async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    await createVectorIndex(knex, byMeaning, quiet)
    await ensureTenantIndexes(knex, rule, quiet)
    expect(await diffVectors(knex, { columns: [], indexes: [byMeaning] })).toEqual([])
    expect(await diffVectors(knex, { columns: [], indexes: [], tenants: [rule] })).toEqual([
      expect.objectContaining({ kind: 'index not declared', name: `public.${byMeaning.name}` }),
    ])
    expect(await diffVectors(knex, { columns: [embedding], indexes: [] })).toHaveLength(2)
  })

  test('are repaired like others, and are no duplicates', async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    await addRows(knex, 2, 30)
    await createVectorIndex(knex, byMeaning, quiet)
    const { built } = await ensureTenantIndexes(knex, rule, quiet)
    const findings = await diagnose(knex)
    expect(findings.filter(({ check, level }) => check === 'indexes' && level !== 'ok')).toEqual([])
    const name = built[0]?.index ?? ''
    await knex.raw('update pg_index set indisvalid = false where indexrelid = ?::regclass', [name])
    expect((await repairVectorIndexes(knex, quiet)).rebuilt).toEqual([`public.${name}`])
    expect(tenantsOf((await planTenantIndexes(knex, rule)).keep).toSorted()).toEqual(['1', '2'])
  })

  test.each([
    { what: 'a column that is missing', column: 'nobody', code: 'RELATION_NOT_FOUND', said: 'nobody' },
    { what: 'a column of another type', column: 'embedding', code: 'TENANT_INDEXES_NOT_POSSIBLE', said: 'type vector' },
  ] as const)('refuse $what', async ({ column, code, said }) => {
    const { knex } = database()
    await createTenants(knex)
    const { message } = await expectError(code, () =>
      ensureTenantIndexes(knex, tenantRule(byMeaning, { column }), quiet),
    )
    expect(message).toContain(said)
  })

  test('refuse a collation by which different texts are equal', async () => {
    const { knex } = database()
    await createTenants(knex)
    await knex
      .raw("create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
      .catch(() => undefined)
    const { rows } = await knex.raw<{ rows: unknown[] }>("select from pg_collation where collname = 'any_case'")
    // The embedded database is built without ICU.
    if (rows.length === 0) return
    await knex.raw('alter table documents alter tenant_id type text collate any_case')
    const { message } = await expectError('TENANT_INDEXES_NOT_POSSIBLE', () => planTenantIndexes(knex, rule))
    expect(message).toContain('treats different texts as equal')
  })

  test('refuse a partitioned table, and are built for a partition', async () => {
    const { knex } = database()
    await createTenants(knex)
    await knex.raw(`create table parted (tenant_id int, region int, embedding vector(8)) partition by list (region);
      create table parted_1 partition of parted for values in (1);
      insert into parted select 7, 1, '[1,2,3,4,5,6,7,8]' from generate_series(1, 30)`)
    const of = (table: string) =>
      tenantRule(vectorIndex({ ...embedding, table }, { method: 'hnsw', metric: 'cosine' }), {
        column: 'tenant_id',
        above: 20,
      })
    const { message, hint } = await expectError('TENANT_INDEXES_NOT_POSSIBLE', () =>
      ensureTenantIndexes(knex, of('parted'), quiet),
    )
    expect(message).toContain('it is partitioned')
    expect(hint).toContain('declare the rule for its partitions')
    expect(tenantsOf((await ensureTenantIndexes(knex, of('parted_1'), quiet)).built)).toEqual(['7'])
  })
})

describeOnServers('the indexes of tenants on a server', (database) => {
  test('refuse a role from which row security hides rows, so that nothing is dropped', async () => {
    const { knex, connect } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    await ensureTenantIndexes(knex, rule, quiet)
    await knex.raw('alter table documents enable row level security')
    await knex.raw('create role reader; grant select on documents to reader; grant usage on schema public to reader')
    const asReader = connect({ pool: { min: 1, max: 1 } })
    try {
      await asReader.raw('set role reader')
      const { message } = await expectError('TENANT_INDEXES_NOT_POSSIBLE', () =>
        ensureTenantIndexes(asReader, rule, quiet),
      )
      expect(message).toContain('row security')
    } finally {
      await asReader.destroy()
      await knex.raw('drop owned by reader; drop role reader')
    }
  })

  test('need the owner of the table, and name it', async () => {
    const { knex, connect } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    await knex.raw('create role reader; grant select on documents to reader')
    const asReader = connect({ pool: { min: 1, max: 1 } })
    try {
      await asReader.raw('set role reader')
      expect(tenantsOf((await planTenantIndexes(asReader, rule)).build)).toEqual(['1'])
      const { hint } = await expectError('INSUFFICIENT_PRIVILEGE', () => ensureTenantIndexes(asReader, rule, quiet))
      expect(hint).toContain('belongs to role')
    } finally {
      await asReader.destroy()
      await knex.raw('drop owned by reader; drop role reader')
    }
  })

  test('are built once by two runs at the same time', async () => {
    const { knex, connect } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    await addRows(knex, 2, 40)
    const other = connect()
    const results = await Promise.all([ensureTenantIndexes(knex, rule, quiet), ensureTenantIndexes(other, rule, quiet)])
    expect(results.flatMap(({ built }) => tenantsOf(built)).toSorted()).toEqual(['1', '2'])
    expect(await indexesOf(knex)).toHaveLength(2)
  })

  test('are finished by the next run after one was stopped, which says what it did', async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 1, 30)
    await addRows(knex, 2, 40)
    const stop = new AbortController()
    const onEvent = ({ type }: TenantIndexesEvent): void => {
      if (type === 'built') stop.abort()
    }
    const failing = ensureTenantIndexes(knex, rule, { ...quiet, signal: stop.signal, onEvent })
    await expect(failing).rejects.toMatchObject({ hint: expect.stringContaining('built index documents_embedding') })
    const { built, kept } = await ensureTenantIndexes(knex, rule, quiet)
    expect([tenantsOf(built), tenantsOf(kept)]).toEqual([['1'], ['2']])
  })
})
