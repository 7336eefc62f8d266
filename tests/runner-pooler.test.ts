import { resolve } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'

import { runCli } from './support/cli.ts'
import { describeOnServers } from './support/databases.ts'
import { hasPgBouncer, startPgBouncer, type RunningPgBouncer } from './support/pgbouncer.ts'

const ledger = resolve(__dirname, 'fixtures/ledger')
// What runs outside a transaction is refused behind a pooler.
const withoutIndex = ['--skip', '004'] as const
const everyLine = ['001', '002', '003', '005', '006']
const testWithPgBouncer = hasPgBouncer || process.env['CI'] === 'true' ? test : test.skip

describeOnServers('through PgBouncer in transaction mode', (database) => {
  let pooler: RunningPgBouncer | undefined

  const up = (...flags: string[]): ReturnType<typeof runCli> =>
    runCli(['up', ...withoutIndex, ...flags], { cwd: ledger, env: { DATABASE_URL: pooler?.url ?? '' } })

  beforeEach(async () => {
    if (hasPgBouncer) pooler = await startPgBouncer(database().url ?? '')
  })

  afterEach(async () => {
    await pooler?.stop()
    pooler = undefined
  })

  testWithPgBouncer('four processes migrate once between them', async () => {
    const results = await Promise.all(Array.from({ length: 4 }, () => up('--json', '--quiet')))
    expect(results.map(({ code, stderr }) => ({ code, stderr }))).toEqual(results.map(() => ({ code: 0, stderr: '' })))
    const applied = results.flatMap(({ stdout }) => (JSON.parse(stdout) as { migrations: unknown[] }).migrations)
    expect(applied).toHaveLength(everyLine.length)
    expect(await database().knex('ledger').orderBy('line').pluck('line')).toEqual(everyLine)
  })

  testWithPgBouncer.each([400, 550, 700, 850])(
    'a run killed after %i ms is recovered by the next one',
    async (moment) => {
      await runCli(['up', ...withoutIndex], {
        cwd: ledger,
        env: { DATABASE_URL: pooler?.url ?? '' },
        onStart: (child) => {
          void passed(moment).then(() => child.kill('SIGKILL'))
        },
      })
      expect((await up('--wait', '30s')).code).toBe(0)
      expect(await database().knex('ledger').orderBy('line').pluck('line')).toEqual(everyLine)
      expect(await database().knex('knex_migrations_lock').pluck('is_locked')).toEqual([0])
    },
  )
})
