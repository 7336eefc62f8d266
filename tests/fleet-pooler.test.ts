import { describeOnServers } from './support/databases.ts'
import { createSchemas, fleetOf, schemasWith, twoTables } from './support/fleets.ts'
import { hasPgBouncer, startPgBouncer, type RunningPgBouncer } from './support/pgbouncer.ts'

const testWithPgBouncer = hasPgBouncer || process.env['CI'] === 'true' ? test : test.skip
const schemas = Array.from({ length: 12 }, (_, number) => `tenant_${String(number).padStart(2, '0')}`)

describeOnServers('a fleet through PgBouncer in transaction mode', (database) => {
  let pooler: RunningPgBouncer | undefined

  beforeEach(async () => {
    if (hasPgBouncer) pooler = await startPgBouncer(database().url ?? '')
    await createSchemas(database(), schemas)
  })

  afterEach(async () => {
    await pooler?.stop()
    pooler = undefined
  })

  const pooled = (): ReturnType<typeof database> => ({ ...database(), url: pooler?.url ?? '' })

  // As many clients at once as the pooler has connections, so that each of them is asked.
  const searchPaths = async (): Promise<Set<unknown>> => {
    const client = database().connect({ connection: pooler?.url ?? '', pool: { min: 0, max: 20 } })
    const question = "select pg_sleep(0.1), current_setting('search_path') as path"
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => client.raw<{ rows: { path: string }[] }>(question)),
    )
    return new Set(answers.map(({ rows }) => rows[0]?.path))
  }

  testWithPgBouncer(
    'migrates each tenant in its schema, and leaves the search path of other clients alone',
    async () => {
      const report = await fleetOf(pooled(), schemas).up()
      expect(report.failed).toEqual([])
      expect(await schemasWith(database(), 'first')).toEqual(schemas)
      expect(await schemasWith(database(), 'second')).toEqual(schemas)
      expect(await searchPaths()).toEqual(new Set(['"$user", public']))
    },
  )

  testWithPgBouncer('reads the state of tenants and creates a schema without changing the search path', async () => {
    const fleet = fleetOf(pooled(), [...schemas, 'tenant_new'])
    expect(await fleet.status()).toHaveLength(13)
    expect(await searchPaths()).toEqual(new Set(['"$user", public']))
    expect((await fleet.onboard({ name: 'tenant_new', schema: 'tenant_new' })).failed).toEqual([])
    expect(await searchPaths()).toEqual(new Set(['"$user", public']))
  })

  testWithPgBouncer('refuses migrations outside a transaction', async () => {
    const steps = { ...twoTables, '003_outside': ['create table third ()', 'drop table third', false] } as const
    const report = await fleetOf(pooled(), schemas, steps).up({ maxFailures: 0 })
    expect(report.failed[0]).toMatchObject({ code: 'SESSION_SHARED' })
    expect(await schemasWith(database(), 'third')).toEqual([])
  })
})
