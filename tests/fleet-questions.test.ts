import { diagnose } from '../src/doctor.ts'
import { diffVectors, findDependents, listVectorIndexes, vectorColumn, vectorIndex } from '../src/index.ts'
import { describeOnServers } from './support/databases.ts'
import { createSchemas, fleetOf, schemasWith } from './support/fleets.ts'

const three = ['tenant_a', 'tenant_b', 'tenant_c'] as const

const embedding = vectorColumn('items', 'embedding', { type: 'vector', dimensions: 3 })
const byAngle = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', name: 'items_by_angle' })

const steps = {
  '001_items': ['create table items (id int, embedding vector(3))', 'drop table items'],
  '002_index': [
    'create index items_by_angle on items using hnsw (embedding vector_cosine_ops)',
    'drop index items_by_angle',
  ],
} as const

const inPublic = { extensionSchema: 'public' }

describeOnServers('the questions to a fleet', (database) => {
  test('plan shows the SQL once for tenants in the same state, and changes nothing', async () => {
    await createSchemas(database(), three)
    await fleetOf(database(), three.slice(0, 1), steps, inPublic).up({ to: '001' })
    const plan = await fleetOf(database(), three, steps, inPublic).plan()
    expect(plan.failed).toEqual([])
    expect(
      plan.plans.map(({ tenants, plan: { migrations } }) => [tenants, migrations.map(({ name }) => name)]),
    ).toEqual([
      [['tenant_a'], ['002_index']],
      [
        ['tenant_b', 'tenant_c'],
        ['001_items', '002_index'],
      ],
    ])
    const [first] = plan.plans
    expect(first?.plan.migrations[0]?.statements.map(({ sql }) => sql)).toEqual([steps['002_index'][0]])
    expect(await schemasWith(database(), 'items')).toEqual(['tenant_a'])
    await fleetOf(database(), three, steps, inPublic).up()
    expect(await fleetOf(database(), three, steps, inPublic).plan()).toEqual({ plans: [], current: three, failed: [] })
  })

  test('diff compares each tenant with the declaration, and with nothing of the others', async () => {
    const { knex } = database()
    await createSchemas(database(), three)
    const fleet = fleetOf(database(), [...three, 'tenant_missing'], steps, inPublic)
    await fleet.up({ canary: 0 })
    await knex.raw('drop index tenant_b.items_by_angle')
    await knex.raw('alter table tenant_c.items add column other vector(5)')
    const found = await fleet.diff({ columns: [embedding], indexes: [byAngle] })
    expect(found.equal).toEqual(['tenant_a'])
    expect(found.tenants).toMatchObject([
      { tenant: 'tenant_b', differences: [{ kind: 'index missing' }] },
      { tenant: 'tenant_c', differences: [{ kind: 'column not declared', name: 'tenant_c.items.other' }] },
    ])
    expect(found.failed).toMatchObject([{ tenant: 'tenant_missing', code: 'SCHEMA_NOT_FOUND' }])
  })

  test('doctor reports equal findings once, with the tenants that have them', async () => {
    const { knex } = database()
    await createSchemas(database(), three)
    const fleet = fleetOf(database(), three, steps, inPublic)
    await fleet.up()
    await knex.raw(`update pg_index set indisvalid = false where indexrelid = 'tenant_b.items_by_angle'::regclass`)
    await fleet.down({ only: ['tenant_c'] })
    const { findings, failed } = await fleet.doctor()
    expect(failed).toEqual([])
    const invalid = findings.filter(({ check, level }) => check === 'indexes' && level === 'error')
    expect(invalid.map(({ tenants }) => tenants)).toEqual([['tenant_b']])
    const pending = findings.filter(({ message }) => message.includes('002_index'))
    expect(pending.map(({ tenants }) => tenants)).toEqual([['tenant_c']])
    const server = findings.find(({ check }) => check === 'server')
    expect(server?.tenants).toEqual(three)
  })

  test('down with all rolls back everything in every tenant', async () => {
    await createSchemas(database(), three)
    const fleet = fleetOf(database(), three, steps, inPublic)
    await fleet.up()
    expect(await fleet.losses({ all: true })).toMatchObject({ tables: [{ table: 'items', tenants: 3 }] })
    expect((await fleet.down({ all: true })).done.toSorted()).toEqual(three)
    expect(await schemasWith(database(), 'items')).toEqual([])
  })
})

describeOnServers('a report about one schema', (database) => {
  test.each([
    ['a name', 'tenant_a', ['tenant_a']],
    ['a name, whose underscore is no wildcard', 'tenant__', []],
    ['a pattern', 'tenant\\_%', ['tenant_a', 'tenant_b']],
    ['a name with a quote', `it's`, [`it's`]],
  ])('takes %s', async (_, schema, expected) => {
    const { knex } = database()
    const all = ['tenant_a', 'tenant_b', `it's`]
    await createSchemas(database(), all)
    await fleetOf(database(), all, steps, inPublic).up()
    await knex.raw(
      `create function tenant_a.near() returns bool language plpgsql as $$ begin return '[1]'::vector is null; end $$`,
    )
    await knex.raw(`create view tenant_b.shown as select embedding from tenant_b.items`)
    await knex.raw(`alter table tenant_b.items alter embedding set default '[1,2,3]'::public.vector`)
    const quoted = expected.map((name) => (name.includes("'") ? `"${name}"` : name))
    const indexes = await listVectorIndexes(knex, { schema })
    expect(indexes.map(({ name }) => name).toSorted()).toEqual(
      quoted.map((name) => `${name}.items_by_angle`).toSorted(),
    )
    const { objects, mentions } = await findDependents(knex, { schema })
    const columns = objects.filter(({ name }) => name.endsWith('.items.embedding'))
    expect(columns.map(({ name }) => name).toSorted()).toEqual(
      expect.arrayContaining(quoted.map((name) => `${name}.items.embedding`)),
    )
    const others = all.filter((name) => !expected.includes(name))
    expect(objects.filter(({ description }) => others.some((name) => description.includes(name)))).toEqual([])
    expect(objects.some(({ name }) => name.startsWith('tenant_b.shown'))).toBe(expected.includes('tenant_b'))
    expect(objects.some(({ kind }) => kind === 'default value')).toBe(expected.includes('tenant_b'))
    expect(mentions.map(({ name }) => name)).toEqual(expected.includes('tenant_a') ? ['tenant_a.near()'] : [])
    const differences = await diffVectors(knex, { columns: [], indexes: [] }, { schema })
    expect(differences.filter(({ kind }) => kind === 'column not declared').map(({ name }) => name)).toEqual(
      expect.arrayContaining(expected.map((name) => `${name}.items.embedding`)),
    )
    expect(differences.filter(({ name }) => others.some((other) => name.includes(other)))).toEqual([])
  })

  test('diagnose counts only the indexes there', async () => {
    const { knex } = database()
    await createSchemas(database(), three)
    await fleetOf(database(), three, steps, inPublic).up()
    await knex.raw(`update pg_index set indisvalid = false where indexrelid = 'tenant_b.items_by_angle'::regclass`)
    const broken = async (schema: string): Promise<number> =>
      (await diagnose(knex, { schema })).filter(({ check, level }) => check === 'indexes' && level === 'error').length
    expect([await broken('tenant_a'), await broken('tenant_b'), await broken('tenant\\_%')]).toEqual([0, 1, 1])
  })
})
