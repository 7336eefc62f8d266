import { migrateToLatest, migrationSource } from '../src/index.ts'
import { describeOnOneServer } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { createProject, knexfile, migrationOf } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const withDirectory = `module.exports = {
  client: 'pg', connection: process.env.DATABASE_URL, migrations: { directory: 'migrations' } }`

const files = {
  'migrations/001_first.js': migrationOf('create table first (id int)', 'drop table first'),
  'migrations/002_second.js': migrationOf('select 1'),
}

describeOnOneServer('applied migrations whose names on disk have another extension', (database) => {
  test.each([
    ['migrationSource', knexfile, withDirectory, /applied with migrationSource.*the same one/],
    ['a directory', withDirectory, knexfile, /applied without migrationSource.*keepExtensions/],
  ])('are distinguished from missing ones after %s, with the command that fixes it', async (_, before, after, said) => {
    const { knex, url } = database()
    const env = { DATABASE_URL: url ?? '' }
    const project = await createProject({ ...files, 'knexfile.js': before })
    expect((await project.run(['up', '--to', '1'], env)).code).toBe(0)
    await project.write('knexfile.js', after)
    const hints: string[] = []
    for (const command of ['up', 'rehearse', 'plan', 'down', 'adopt', 'lint']) {
      const { code, stderr } = await project.run([command], env)
      expect({ command, code }).toEqual({ command, code: 2 })
      expect(stderr).toContain('MIGRATION_FILES_MISSING')
      hints.push(/Next {5}(.*)/.exec(stderr)?.[1] ?? '')
    }
    const { code, stdout } = await project.run(['status'], env)
    expect(code).toBe(0)
    hints.push(/Next: (.*)/.exec(stdout)?.[1] ?? '')
    expect(new Set(hints).size).toBe(1)
    expect(hints[0]).toMatch(said)
    await knex.raw((/UPDATE .*;$/.exec(hints[0] ?? '')?.[0] ?? '').replaceAll('?', '\\?'))
    expect((await project.run(['up'], env)).stdout).toMatch(/^✓ 002_second(\.js)?\nApplied 1\n$/)
  })

  test('are recognized at application start by a Knex without the source', async () => {
    const { knex, connect } = database()
    const project = await createProject(files)
    const directory = `${project.folder}/migrations`
    await migrateToLatest(knex, { migrationSource: migrationSource({ directory }) })
    const lacking = connect({ migrations: { directory } })
    const { hint } = await expectError('MIGRATION_FILES_MISSING', () => migrateToLatest(lacking))
    expect(hint).toMatch(/give this Knex configuration the same one/)
  })

  test('are distinguished from those without any file', async () => {
    const { url, knex } = database()
    const env = { DATABASE_URL: url ?? '' }
    const project = await createProject({ ...files, 'knexfile.js': knexfile })
    await project.run(['up'], env)
    await knex('knex_migrations').insert({ name: '003_gone', batch: 2 })
    await project.write('knexfile.js', withDirectory)
    const { stderr } = await project.run(['up'], env)
    expect(stderr).toMatch(/UPDATE.*IN \('001_first', '002_second'\); 003_gone: no file exists under any extension\./)
  })
})
