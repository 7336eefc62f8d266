import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'

import type { Knex } from 'knex'

import { runCli, type CliResult } from './support/cli.ts'
import { describeOnServers, type TestDatabase } from './support/databases.ts'
import { run, type Finished } from './support/run.ts'

const ledger = resolve(__dirname, 'fixtures/ledger')
const everyLine = ['001', '002', '003', '004', '005', '006']

const up = (database: TestDatabase, ...flags: string[]): Promise<CliResult> =>
  runCli(['up', ...flags], { cwd: ledger, env: { DATABASE_URL: database.url ?? '' } })

/** What a finished set of migrations looks like: every one recorded once, every row there once. */
async function expectFinished(knex: Knex): Promise<void> {
  expect(await knex('ledger').orderBy('line').pluck('line')).toEqual(everyLine)
  const names: string[] = await knex('knex_migrations').orderBy('name').pluck('name')
  expect(names.map((name) => name.slice(0, 3))).toEqual(everyLine)
  for (const table of ['accounts_002', 'accounts_003', 'accounts_005', 'accounts_006']) {
    expect(await knex(table).count()).toEqual([{ count: '100' }])
  }
  const { rows } = await knex.raw(`select indisvalid from pg_index where indexrelid = 'accounts_002_balance'::regclass`)
  expect(rows).toEqual([{ indisvalid: true }])
  expect(await knex('knex_migrations_lock').pluck('is_locked')).toEqual([0])
}

// Long enough for the kills to fall before, into and after the work of a run.
const RUN_MILLISECONDS = 1200

describeOnServers('a run that is killed', (database) => {
  const moments = Array.from({ length: 25 }, (_, index) =>
    Math.round((RUN_MILLISECONDS / 25) * (index + Math.random())),
  )

  test.each(moments)('after %i ms is recovered by the next one, and nothing is lost or done twice', async (moment) => {
    const { knex } = database()
    await runCli(['up'], {
      cwd: ledger,
      env: { DATABASE_URL: database().url ?? '' },
      onStart: (child) => {
        void passed(moment).then(() => child.kill('SIGKILL'))
      },
    })
    const next = await up(database(), '--wait', '30s')
    expect(`${next.stdout}${next.stderr}`).not.toContain('✗')
    expect(next.code).toBe(0)
    await expectFinished(knex)
  })
})

describeOnServers('16 processes that start at once', (database) => {
  const start = (): Promise<Finished> =>
    run(process.execPath, ['start.js'], { cwd: ledger, env: { DATABASE_URL: database().url ?? '' } })

  async function expectOneToMigrate(results: readonly Finished[]): Promise<void> {
    expect(results.map(({ code, stderr }) => [code, stderr])).toEqual(results.map(() => [0, '']))
    const applied = results.flatMap(({ stdout }) => (JSON.parse(stdout) as { migrations: unknown[] }).migrations)
    expect(applied).toHaveLength(everyLine.length)
    await expectFinished(database().knex)
  }

  test.each(Array.from({ length: 10 }, (_, index) => index + 1))(
    'all call migrateToLatest and succeed, and one migrates: round %i',
    async () => {
      await expectOneToMigrate(await Promise.all(Array.from({ length: 16 }, start)))
    },
  )

  test('all succeed and one migrates where some are applications and others the command line', async () => {
    const either = (_: unknown, index: number): Promise<Finished> =>
      index % 2 === 0 ? start() : up(database(), '--json', '--quiet', '--wait', '60s')
    await expectOneToMigrate(await Promise.all(Array.from({ length: 16 }, either)))
  })
})

describeOnServers('stock Knex and this runner', (database) => {
  const stock = (...flags: string[]): Promise<number | null> =>
    new Promise((done) => {
      const knexCli = resolve('node_modules/knex/bin/cli.js')
      const child = spawn(process.execPath, [knexCli, ...flags], {
        cwd: ledger,
        env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: database().url ?? '' },
      })
      child.on('close', done)
    })

  test.each([1, 2, 3, 4, 5])('never migrate at the same time: round %i', async () => {
    const { knex } = database()
    // Stock Knex does not wait: where we hold its lock it fails, and where it holds the lock we wait.
    const [ours] = await Promise.all([up(database(), '--wait', '30s'), stock('migrate:latest')])
    // On an empty database stock Knex may make its tables in the same moment and fail us or itself; again, then.
    const last = ours.code === 0 ? ours : await up(database(), '--wait', '30s')
    expect(last.code).toBe(0)
    await expectFinished(knex)
  })

  test('take over from each other at any point', async () => {
    const { knex } = database()
    expect(await stock('migrate:up')).toBe(0)
    expect((await up(database(), '--to', '003')).code).toBe(0)
    expect(await stock('migrate:latest')).toBe(0)
    await expectFinished(knex)
    expect(await stock('migrate:down')).toBe(0)
    expect((await up(database())).code).toBe(0)
    await expectFinished(knex)
  })

  test('leave the same tables behind', async () => {
    const { knex } = database()
    const describe = async (): Promise<unknown> =>
      (
        await knex.raw(`
          select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
            (select array_agg(i.indexrelid::regclass::text order by 1) from pg_index i where i.indrelid = c.oid) as indexes
          from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
          left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
          where c.relname in ('knex_migrations', 'knex_migrations_lock') order by c.relname, a.attnum`)
      ).rows
    await up(database())
    const ours = await describe()
    await knex.raw('drop table knex_migrations, knex_migrations_lock')
    await stock('migrate:list')
    expect(ours).toEqual(await describe())
  })
})
