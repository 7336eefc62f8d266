import { describeOnServers } from './support/databases.ts'
import { createProject, knexfile, migrationOf, type Project } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

/** A project with these migrations, of which nothing is applied. */
async function projectWith(migrations: Readonly<Record<string, string>>): Promise<Project> {
  const files = Object.entries(migrations).map(([name, content]) => [`migrations/${name}.js`, content])
  return createProject({ 'knexfile.js': knexfile, ...Object.fromEntries(files) })
}

const wrong = migrationOf('select wrong from first')

describeOnServers('npx knex-pgvector rehearse', (database) => {
  test('shows a table for each migration, marks what blocks others, and changes nothing', async () => {
    const { knex, url } = database()
    await knex.raw('create table old (id int)')
    const project = await projectWith({
      '001_first': `exports.up = async (knex) => {
        console.log('said by 001')
        await knex.raw('create table first (id int primary key)')
        await knex.raw('insert into first select from generate_series(1, 0)')
        await knex.raw("comment on table first is '" + 'x'.repeat(100) + "'")
      }`,
      '002_second': migrationOf('alter table old add column second text'),
      '003_third': `${migrationOf('vacuum')}; exports.config = { transaction: false }`,
    })
    const { code, stdout, stderr } = await project.run(['rehearse'], { DATABASE_URL: url ?? '' })
    const shown = stdout.replaceAll(/\d+(\.\d)? ms/g, '… ms').replaceAll(/ {2,}/g, '  ')
    expect(shown).toBe(`✓ 001_first: … ms
Statement  Time  Rows  Locks
create table first (id int primary key)  … ms  public.first (new)
insert into first select from generate_series(1, 0)  … ms  0
comment on table first is 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  … ms

✓ 002_second: … ms
Statement  Time  Rows  Locks
alter table old add column second text  … ms  ⚠ public.old AccessExclusiveLock: blocks reads and writes

○ 003_third: not rehearsed, it runs outside a transaction

⚠ 003_third runs outside a transaction, so it was not rehearsed; later migrations were tried without it.
Rolled back: nothing was changed
`)
    expect(stderr).toContain('said by 001')
    expect(code).toBe(0)
    expect(await knex.schema.hasTable('first')).toBe(false)
    expect(await knex.schema.hasTable('knex_migrations')).toBe(false)
  })

  test('exits with 2 where a migration fails, and shows the error of the server', async () => {
    const project = await projectWith({
      '001_first': migrationOf('create table first (id int)'),
      '002_wrong': wrong,
      '003_third': migrationOf('create table third (id int)'),
    })
    const { code, stdout, stderr } = await project.run(['rehearse'], { DATABASE_URL: database().url ?? '' })
    expect(stdout).toMatch(/^✓ 001_first: .* ms$/m)
    expect(stdout).toMatch(/^✗ 002_wrong: failed after .* ms\n.*\nselect wrong from first .* failed$/m)
    expect(stdout).toMatch(/^○ 003_third: not rehearsed, an earlier one failed$/m)
    expect(stderr).toContain('column "wrong" does not exist')
    expect(code).toBe(2)
    expect(await database().knex.schema.hasTable('first')).toBe(false)
  })

  test('prints one JSON document with --json, with the whole SQL and without passwords', async () => {
    const long = `create table first (${Array.from({ length: 40 }, (_, index) => `column_${index} int`).join(', ')})`
    const project = await projectWith({
      '001_first': migrationOf(long),
      '002_role': `exports.up = async (knex) => {
        console.log('said by 002')
        await knex.raw("do $$ begin perform 'password=hush'; end $$")
      }`,
      '003_wrong': wrong,
    })
    const { code, stdout } = await project.run(['rehearse', '--json'], { DATABASE_URL: database().url ?? '' })
    expect(JSON.parse(stdout)).toMatchObject({
      migrations: [
        {
          name: '001_first',
          state: 'rehearsed',
          statements: [{ sql: long, rows: null, locks: [{ relation: 'public.first', mode: 'AccessExclusiveLock' }] }],
        },
        { name: '002_role', state: 'rehearsed' },
        { name: '003_wrong', state: 'failed', error: { code: 'MIGRATION_FAILED', sqlState: '42703' } },
      ],
      warnings: [],
    })
    expect(stdout).not.toContain('hush')
    expect(code).toBe(2)
  })

  test('takes the selection and the lock timeout', async () => {
    const { knex, url, connect } = database()
    await knex.raw('create table old (id int)')
    const reader = await connect().transaction()
    await reader.raw('select from old')
    const project = await projectWith({
      '001_first': migrationOf('create table first (id int)'),
      '002_old': migrationOf('drop table old'),
      '003_third': migrationOf('create table third (id int)'),
    })
    const env = { DATABASE_URL: url ?? '' }
    const { code, stdout } = await project.run(['rehearse', '--to', '2', '--skip', '1', '--lock-timeout', '50ms'], env)
    await reader.rollback()
    expect(stdout).toContain('002_old did not get a lock within 50 ms')
    expect(stdout).not.toMatch(/001_first|003_third/)
    expect(code).toBe(2)
    const only = await project.run(['rehearse', '--only', '3'], env)
    expect(only.stdout).toMatch(/^✓ 003_third/)
    const none = await project.run(['rehearse', '--lock-timeout', '0ms'], env)
    expect(none.stderr).toContain('lockTimeout: must be at least 1')
    expect(none.code).toBe(2)
  })

  test('exits with 130 at SIGINT, whenever it comes', async () => {
    const project = await projectWith({ '001_long': migrationOf('select pg_sleep(60)') })
    const { process: child, result } = project.start(['rehearse'], { DATABASE_URL: database().url ?? '' })
    child.stderr?.once('data', () => child.kill('SIGINT'))
    const { code, stderr } = await result
    expect(stderr).toContain('Interrupted by SIGINT during 001_long')
    expect(code).toBe(130)
  })

  test('says so where nothing is pending', async () => {
    const project = await projectWith({ '001_first': migrationOf('create table first (id int)') })
    const env = { DATABASE_URL: database().url ?? '' }
    await project.run(['up'], env)
    expect(await project.run(['rehearse'], env)).toEqual({ code: 0, stdout: 'Nothing to rehearse\n', stderr: '' })
  })
})
