import type { ChildProcess } from 'node:child_process'

import type { Knex } from 'knex'

import { describeOnServers } from './support/databases.ts'
import { createProject, knexfile, migrationOf } from './support/project.ts'
import { startProxy } from './support/proxy.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const files = {
  'knexfile.js': knexfile,
  'migrations/001_first.js': migrationOf('create table first (id int)'),
  'migrations/002_long.js': migrationOf('create table second (id int); select pg_sleep(30)'),
  'migrations/003_third.js': migrationOf('create table third (id int)'),
}

/** Waits until somebody in this database is at the sleep of the migration. */
async function asleep(knex: Knex): Promise<void> {
  for (;;) {
    const { rows } = await knex.raw<{ rows: [{ found: boolean }] }>(`
      select pg_sleep(0.02), exists (
        select from pg_stat_activity
        where datname = current_database() and state = 'active' and wait_event = 'PgSleep' and pid <> pg_backend_pid()
      ) as found`)
    if (rows[0].found) return
  }
}

describe('a run on the embedded database that is asked to stop', () => {
  test('ends after the migration that is running, and says what was done', async () => {
    const project = await createProject({
      'knexfile.js': `const { embeddedPgvector } = require('knex-pgvector/embedded')
        module.exports = embeddedPgvector({ dataDir: 'data' })`,
      'migrations/001_first.js': `exports.up = async (knex) => {
          process.kill(process.pid, 'SIGINT')
          await knex.raw('create table first (id int)')
        }
        exports.down = async () => {}`,
      'migrations/002_second.js': migrationOf('create table second (id int)'),
    })
    const { code, stderr } = await project.run(['up'])
    expect(stderr).toMatch(/✗ Interrupted by SIGINT .*\(done: 1, remaining: 1\)/)
    expect(stderr).toMatch(/\n {2}Done {5}001_first\.js\n {2}Not yet {2}002_second\.js\n/)
    expect(code).toBe(130)
    expect((await project.run(['up'])).stdout).toBe('✓ 002_second.js\nApplied 1\n')
  })
})

describeOnServers('a run that is asked to stop', (database) => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'by %s rolls the migration back, frees the lock, says where things stand and exits with %i',
    async (signal, expected) => {
      const { knex, url } = database()
      const env = { DATABASE_URL: url ?? '' }
      const project = await createProject(files)
      const { process: child, result } = project.start(['up'], env)
      await asleep(knex)
      const asked = performance.now()
      child.kill(signal)
      const { code, stderr } = await result
      expect(code).toBe(expected)
      expect(performance.now() - asked).toBeLessThan(15_000)
      expect(stderr).toMatch(new RegExp(`\\n${signal}: stopping`))
      const standing = '\\(done: 1, remaining: 1\\)'
      expect(stderr).toMatch(
        new RegExp(`✗ Interrupted by ${signal} during 002_long ${standing} {2}MIGRATION_INTERRUPTED`),
      )
      expect(stderr).toMatch(/\n {2}Done {5}001_first\n {2}Not yet {2}003_third\n/)
      expect(stderr).toMatch(/Again {4}npx knex-pgvector up/)
      expect(await knex('knex_migrations').pluck('name')).toEqual(['001_first'])
      expect(await knex('knex_migrations_lock').pluck('is_locked')).toEqual([0])
      expect(await knex.schema.hasTable('second')).toBe(false)
      await project.write('migrations/002_long.js', migrationOf('create table second (id int)'))
      const again = await project.run(['up', '--wait', '0s'], env)
      expect(again).toMatchObject({ code: 0, stdout: '✓ 002_long\n✓ 003_third\nApplied 2\n' })
      expect(again.stderr).not.toMatch(/Freed the lock/)
    },
  )

  test('stops a migration outside a transaction too, which can be run again', async () => {
    const { knex, url } = database()
    const env = { DATABASE_URL: url ?? '' }
    const outside = (sql: string): string => `exports.config = { transaction: false }\n${migrationOf(sql)}`
    const project = await createProject({ ...files, 'migrations/002_long.js': outside('select pg_sleep(30)') })
    const { process: child, result } = project.start(['up'], env)
    await asleep(knex)
    child.kill('SIGINT')
    expect((await result).code).toBe(130)
    expect(await knex('knex_migrations').pluck('name')).toEqual(['001_first'])
    await project.write('migrations/002_long.js', outside('select 1'))
    expect((await project.run(['up', '--wait', '0s'], env)).code).toBe(0)
  })

  test('while it waits for another run stops at once, and leaves the other alone', async () => {
    const { knex, url } = database()
    const env = { DATABASE_URL: url ?? '' }
    const project = await createProject(files)
    const holder = project.start(['up'], env)
    await asleep(knex)
    const waiter = project.start(['up'], env)
    await new Promise<void>((resolve) => {
      waiter.process.stderr?.on('data', (text: Buffer) => {
        if (text.includes('Waiting for process')) resolve()
      })
    })
    waiter.process.kill('SIGTERM')
    expect(await waiter.result).toMatchObject({ code: 143, stderr: expect.stringMatching(/Interrupted by SIGTERM/) })
    expect(await knex('knex_migrations_lock').pluck('is_locked')).toEqual([1])
    holder.process.kill('SIGINT')
    expect((await holder.result).code).toBe(130)
  })

  test.each(['knex_migrations', 'is_locked = 1', 'create table second'])(
    'by one SIGTERM ends within its deadline where its connection stalls at %s',
    async (words) => {
      const { url } = database()
      let child: ChildProcess | undefined
      const proxy = await startProxy(url ?? '', ({ connection, sender, message }) => {
        if (sender !== 'client' || child?.killed !== false || !message.body.includes(words)) return undefined
        connection.stall()
        child.kill('SIGTERM')
        return undefined
      })
      try {
        const project = await createProject(files)
        const started = project.start(['up'], { DATABASE_URL: proxy.url })
        child = started.process
        const asked = performance.now()
        const { code, stderr } = await started.result
        expect({ code, stderr }).toEqual({
          code: 143,
          stderr: expect.stringMatching(/\nSIGTERM: stopping|^SIGTERM: stopping/),
        })
        expect(performance.now() - asked).toBeLessThan(30_000)
      } finally {
        await proxy.close()
      }
    },
  )
})
