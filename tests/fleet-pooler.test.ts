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

  testWithPgBouncer(
    'migrates each tenant in its schema, and leaves the search path of other clients alone',
    async () => {
      const report = await fleetOf(pooled(), schemas).up()
      expect(report.failed).toEqual([])
      expect(await schemasWith(database(), 'first')).toEqual(schemas)
      expect(await schemasWith(database(), 'second')).toEqual(schemas)
      const client = database().connect({ connection: pooler?.url ?? '', pool: { min: 0, max: 8 } })
      const paths = await Promise.all(
        Array.from({ length: 8 }, () => client.raw<{ rows: { search_path: string }[] }>('show search_path')),
      )
      expect(new Set(paths.map(({ rows }) => rows[0]?.search_path))).toEqual(new Set(['"$user", public']))
    },
  )

  testWithPgBouncer('refuses migrations outside a transaction', async () => {
    const steps = { ...twoTables, '003_outside': ['create table third ()', 'drop table third', false] } as const
    const report = await fleetOf(pooled(), schemas, steps).up({ maxFailures: 0 })
    expect(report.failed[0]).toMatchObject({ code: 'SESSION_SHARED' })
    expect(await schemasWith(database(), 'third')).toEqual([])
  })
})
