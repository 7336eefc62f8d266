import { describeOnServers } from './support/databases.ts'
import { createProject, knexfile, migrationOf } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

// Each plan starts PostgreSQL in the process that is spawned.
jest.setTimeout(180_000)

afterAll(removeTemporaryFolders)

const statements = [
  `create role reporter login password 'secret-of-''reporter'`,
  `alter role reporter with encrypted password $of$secret-of-reporter$of$`,
]

describeOnServers('a password in a migration', (database) => {
  const files = {
    'knexfile.js': knexfile,
    'migrations/001_reporter.js': migrationOf(statements.join(';\n')),
    'migrations/002_items.js': migrationOf('create table items (password text)'),
  }

  test.each([
    ['people', []],
    ['machines', ['--json']],
  ])('is not in what plan prints for %s', async (_, flags) => {
    const project = await createProject(files)
    const { code, stdout, stderr } = await project.run(['plan', ...flags], { DATABASE_URL: database().url ?? '' })
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.not.stringContaining('secret-of-') })
    expect(stdout).not.toContain('secret-of-')
    expect(stdout).toContain('create role reporter login password ***')
    expect(stdout).toContain('alter role reporter with encrypted password ***')
    expect(stdout).toContain('create table items (password text)')
  })

  test('is in the script, which could not do without it and says so', async () => {
    const project = await createProject(files)
    const { stdout, stderr } = await project.run(['plan', '--script'], { DATABASE_URL: database().url ?? '' })
    for (const statement of statements) expect(stdout).toContain(`${statement};\n`)
    const note = 'Note: A password of 001_reporter stands in this script: keep it as a secret.'
    expect(stdout).toContain(`-- ${note}\n`)
    expect(stderr).toContain(note)
  })
})
