import { once } from 'node:events'

import { describeServerError } from '../src/cli/output/server-error.ts'
import { describeOnServers } from './support/databases.ts'
import { createProject, knexfile, migrationOf } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const first = migrationOf('create table first (id int primary key, title text)', 'drop table first')

const broken = `
  -- a line, and one with a tab:
\tselect titel from first;
  create table never (id int);
`

const files = {
  'knexfile.js': knexfile,
  'migrations/001_first.js': first,
  'migrations/002_broken.js': migrationOf(broken),
  'migrations/003_third.js': migrationOf('create table third (id int)', 'drop table third'),
}

describeOnServers('a migration that fails', (database) => {
  const env = (): { DATABASE_URL: string } => ({ DATABASE_URL: database().url ?? '' })

  test('is shown in the words of PostgreSQL, with the place, what is done, what is not, and the next command', async () => {
    const project = await createProject(files)
    const { code, stderr, stdout } = await project.run(['up', '--to', '3'], env())
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.slice(stderr.indexOf('✗'))).toBe(`✗ Migration 002_broken failed (up)  MIGRATION_FAILED
  column "titel" does not exist (42703)
  hint: Perhaps you meant to reference the column "first.title".
  1 | -- a line, and one with a tab:
  2 |  select titel from first;
              ^
  3 |   create table never (id int);
  Done     001_first
  Not yet  003_third
  Next     It was rolled back as a whole. Fix the cause, then run the same command again.
  Again    npx knex-pgvector up --to 3
  Docs     https://github.com/knex-pgvector/knex-pgvector/blob/main/docs/errors.md#migration_failed
`)
    expect(await database().knex.schema.hasTable('never')).toBe(false)
    await project.write('migrations/002_broken.js', migrationOf('select 1'))
    expect((await project.run(['up', '--to', '3'], env())).stdout).toMatch(/✓ 002_broken\n✓ 003_third\nApplied 2\n$/)
  })

  test('does not end a run whose stderr is closed', async () => {
    const project = await createProject({
      'knexfile.js': files['knexfile.js'],
      'migrations/001_first.js': migrationOf('select 1'),
      'migrations/002_talking.js': `exports.up = async (knex) => {
        for (let line = 0; line < 50; line++) {
          console.error('line ' + line)
          await knex.raw('select pg_sleep(0.01)')
        }
      }
      exports.down = async () => {}`,
    })
    const { process: child, result } = project.start(['up'], env())
    // What is read of it ends early too.
    result.catch(() => undefined)
    child.stderr?.destroy()
    await once(child, 'exit')
    expect(child.exitCode).toBe(0)
    expect(await database().knex('knex_migrations').pluck('name')).toEqual(['001_first', '002_talking'])
  })

  test.each([
    ['a version without its flag', ['up', '002'], `too many arguments for 'up'. Expected 0 arguments but got 1.`],
    ['a URL without its flag', ['status', 'postgres://u:hunter2@h/x'], `too many arguments for 'status'`],
    ['a URL as a command', ['postgres://u:hunter2@h/x'], `unknown command 'postgres://u:***@h/x'`],
  ])('comes from %s, and nothing is done', async (_, flags, message) => {
    const project = await createProject(files)
    const { code, stderr, stdout } = await project.run(flags, env())
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('hunter2')
    expect(await database().knex.schema.hasTable('knex_migrations')).toBe(false)
  })

  test.each([
    [`'out of tea'`, 'out of tea'],
    [`{ status: 418, why: 'tea' }`, `{ status: 418, why: 'tea' }`],
    ['undefined', 'it was rejected without a reason'],
    ['null', 'it was rejected without a reason'],
  ])('is shown where it throws %s, which is no error', async (thrown, said) => {
    const rejecting = `exports.up = () => Promise.reject(${thrown})\nexports.down = async () => {}`
    const project = await createProject({ ...files, 'migrations/002_broken.js': rejecting })
    const { code, stderr } = await project.run(['up'], env())
    expect(code).toBe(2)
    expect(stderr).toContain(`✗ Migration 002_broken failed (up)  MIGRATION_FAILED\n  ${said}\n  Done`)
    const { stdout } = await project.run(['up', '--json'], env())
    expect(JSON.parse(stdout)).toMatchObject({ error: { cause: said } })
    expect((await project.run(['rehearse'], env())).stderr).toContain(said)
    expect((await project.run(['plan'], env())).stderr).toContain(said)
  })

  test.each([
    ['ends the process', 'exports.up = () => process.exit(0)', 2],
    ['ends the process with a code of its own', 'exports.up = () => process.exit(7)', 7],
  ])('is not taken for done where it %s', async (_, up, expected) => {
    const project = await createProject({
      ...files,
      'migrations/002_broken.js': `${up}\nexports.down = async () => {}`,
    })
    const { code, stdout, stderr } = await project.run(['up', '--json'], env())
    expect(code).toBe(expected)
    expect(stderr).toMatch(
      /✗ This process was ended during 002_broken before its work was done\n {2}Next {5}Take process/,
    )
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: null, message: expect.stringContaining('002_broken') } })
    expect((await project.run(['rehearse'], env())).code).toBe(expected)
    expect((await project.run(['status'], env())).stdout).toContain('Applied: 1 / 3')
  })

  test('shows the message of the server when the connection is lost, and not that nothing could be rolled back', async () => {
    const terminates = `select pg_terminate_backend(pg_backend_pid())`
    const project = await createProject({ ...files, 'migrations/002_broken.js': migrationOf(terminates) })
    const { code, stderr } = await project.run(['up'], env())
    expect(code).toBe(2)
    expect(stderr).toContain('terminating connection due to administrator command (57P01)')
    expect(stderr).not.toContain('ROLLBACK')
    expect((await project.run(['history'], env())).stdout).toContain('up failed (CONNECTION_LOST)')
    await project.write('migrations/002_broken.js', migrationOf('select 1'))
    expect((await project.run(['up', '--wait', '5s'], env())).stdout).toContain('Applied 2\n')
  })

  test('is foreseen where the database is read-only', async () => {
    const { knex } = database()
    await knex.raw(`do $$ begin
      execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$`)
    const { code, stderr } = await (await createProject(files)).run(['up'], env())
    expect(code).toBe(2)
    expect(stderr).toMatch(/READ_ONLY\n  Next/)
  })

  test('is printed as JSON, field by field', async () => {
    const project = await createProject(files)
    const { stdout } = await project.run(['up', '--json'], env())
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: 'MIGRATION_FAILED',
        message: 'Migration 002_broken failed (up)',
        hint: expect.any(String),
        docsUrl: expect.any(String),
        details: {
          migration: '002_broken',
          direction: 'up',
          transactional: true,
          done: ['001_first'],
          left: ['003_third'],
        },
        cause: 'column "titel" does not exist',
        server: {
          code: '42703',
          message: 'column "titel" does not exist',
          hint: 'Perhaps you meant to reference the column "first.title".',
          statement: broken,
          position: broken.indexOf('titel') + 1,
        },
      },
    })
  })

  test('shows the detail of a violated constraint, and a message that has a dash in it', async () => {
    const project = await createProject({
      ...files,
      'migrations/002_broken.js': migrationOf(`insert into first values (1, 'a'), (1, 'b')`),
    })
    const violated = await project.run(['up'], env())
    expect(violated.stderr).toContain(`duplicate key value violates unique constraint "first_pkey" (23505)
  detail: Key (id)=(1) already exists.
  schema: public
  table: first
  constraint: first_pkey
  1 | insert into first values (1, 'a'), (1, 'b')
`)
    await project.write('migrations/002_broken.js', migrationOf('select * from "a - b"'))
    expect((await project.run(['up'], env())).stderr).toContain('relation "a - b" does not exist (42P01)\n')
  })

  test('is shown with its own words where it throws by itself', async () => {
    const project = await createProject({
      ...files,
      'migrations/002_broken.js': `exports.up = async () => { throw new Error('no model is chosen') }`,
    })
    const { code, stderr } = await project.run(['up'], env())
    expect(code).toBe(2)
    expect(stderr).toMatch(/✗ Migration 002_broken failed \(up\) {2}MIGRATION_FAILED\n {2}no model is chosen\n/)
  })

  test('shows no more of a long statement than what is around the place', async () => {
    const lines = Array.from({ length: 40 }, (_, index) => `-- line ${index + 1}`)
    lines[19] = 'select nothing from nowhere;'
    const project = await createProject({ ...files, 'migrations/002_broken.js': migrationOf(lines.join('\n')) })
    const { stderr } = await project.run(['up'], env())
    expect(stderr).toContain(`  …
  17 | -- line 17
  18 | -- line 18
  19 | -- line 19
  20 | select nothing from nowhere;
                           ^
  21 | -- line 21
  22 | -- line 22
  23 | -- line 23
  …
`)
  })

  test.each([
    ['migrationSource', knexfile, 'migrations'],
    [
      'a directory',
      `module.exports = { client: 'pg', connection: process.env.DATABASE_URL, migrations: { directory: './db/steps' } }`,
      'db/steps',
    ],
    [
      'directories that Knex sorts',
      `module.exports = { client: 'pg', connection: process.env.DATABASE_URL,
      migrations: { directory: ['./db/steps'], sortDirsSeparately: true } }`,
      'db/steps',
    ],
  ])('is not looked for in a folder that is not there, as %s says', async (_, configuration, folder) => {
    const project = await createProject({ 'knexfile.js': configuration })
    const runs = [['status'], ['up'], ['plan'], ['down', '--yes'], ['rehearse']]
    for (const flags of runs) {
      const { code, stderr } = await project.run(flags, env())
      expect({ flags, code }).toEqual({ flags, code: 2 })
      expect(stderr).toContain(
        `✗ The migrations folder ${project.folder}/${folder} does not exist  MIGRATIONS_NOT_FOUND\n`,
      )
      expect(stderr).toContain(`\n  Config   ${project.folder}/knexfile.js\n`)
      expect(stderr).toMatch(/Next {5}Correct migrations\.directory .*npx knex-pgvector new NAME\n/)
    }
  })

  test('can be run again from where it stopped where it runs outside a transaction', async () => {
    const outside = (sql: string): string => `
      exports.config = { transaction: false }
      exports.up = async (knex) => {
        await knex.raw('create table if not exists half (id int)')
        await knex.raw('${sql}')
      }`
    const project = await createProject({ ...files, 'migrations/002_broken.js': outside('select 1/0') })
    const { stderr } = await project.run(['up'], env())
    expect(stderr).toMatch(/division by zero \(22012\)[^]*what it did before it failed stays/)
    expect(await database().knex.schema.hasTable('half')).toBe(true)
    await project.write('migrations/002_broken.js', outside('select 1'))
    expect((await project.run(['up'], env())).code).toBe(0)
  })
})

describeOnServers('a role whose statements may take a millisecond', (database) => {
  test('is shown which setting ended the statement', async () => {
    const project = await createProject(files)
    const url = new URL(database().url ?? '')
    url.searchParams.set('options', '-c statement_timeout=1ms')
    const { code, stderr } = await project.run(['status'], { DATABASE_URL: url.href })
    expect(code).toBe(2)
    expect(stderr).toContain('(57014)')
    expect(stderr).toContain('If statement_timeout ended it, raise that setting for this role')
  })
})

describeOnServers('a server that cannot be reached', (database) => {
  const SECRET = 'pa55-w0rd!'

  function urlWith(change: (url: URL) => void): string {
    const url = new URL(database().url ?? '')
    url.password = SECRET
    change(url)
    return url.href
  }

  test.each([
    ['a wrong password', () => urlWith(() => undefined), /password authentication failed for user "\w+" \(28P01\)/],
    ['a database that is not there', () => `${database().url}_not`, /database "\w+_not" does not exist \(3D000\)/],
    [
      'a port where nobody listens',
      () => urlWith((url) => (url.port = '1')),
      /No connection to the server: connect ECONNREFUSED/,
    ],
    [
      'a host that is not there',
      () => urlWith((url) => (url.hostname = 'nowhere.invalid')),
      /No connection to the server: getaddrinfo/,
    ],
    ['text that is no URL', () => `postgres://app:${SECRET}@host:port/x`, /INVALID_OPTIONS/],
    ['another kind of URL', () => `mysql://app:${SECRET}@host/x`, /--database-url: must be a URL like postgres:/],
  ])('is explained in a few lines, without a password: %s', async (_what, url, said) => {
    const project = await createProject(files)
    for (const flags of [[], ['--json']]) {
      const { code, stdout, stderr } = await project.run(['status', '--database-url', url(), ...flags])
      expect(code).toBe(2)
      expect(stderr).toMatch(said)
      expect(stderr).toMatch(/\n {2}Next /)
      expect(stderr).not.toMatch(/^ +at /m)
      expect(stdout + stderr).not.toContain(SECRET)
    }
  })

  test('keeps the password of its role to itself, whatever it is asked, and a password that a migration sets', async () => {
    const { knex, url } = database()
    const role = `login_${process.pid}_${Date.now()}`
    await knex.raw(`create role ${role} login password '${SECRET}'; grant create on schema public to ${role}`)
    const project = await createProject({
      ...files,
      'migrations/002_broken.js': migrationOf(`create role other password 'set-by-migration'`),
    })
    const as = new URL(url ?? '')
    as.username = role
    as.password = SECRET
    try {
      for (const flags of [['up'], ['up', '--json'], ['history', '--verbose'], ['doctor', '--json'], ['unlock']]) {
        const { stdout, stderr } = await project.run([...flags, '--database-url', as.href])
        expect(stdout + stderr).not.toMatch(/pa55-w0rd|set-by-migration/)
      }
    } finally {
      await knex.raw(`drop owned by ${role}; drop role ${role}`)
    }
  })
})

describe('the place in a statement', () => {
  test('is counted in characters, as the server counts them', () => {
    const statement = `\n\n  -- 日本 🎉\n  select titel from first`
    const position = Array.from(statement.slice(0, statement.indexOf('titel'))).length + 1
    const error = { code: '42703', message: 'column "titel" does not exist', statement, position }
    expect(describeServerError(error)).toEqual([
      'column "titel" does not exist (42703)',
      '1 | -- 日本 🎉',
      '2 |   select titel from first',
      '             ^',
    ])
  })
})
