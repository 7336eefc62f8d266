import { describeOnServers } from './support/databases.ts'
import { createProject, knexfile, migrationOf, type Project } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

// What would be lost is found out by running it too, under another name.
const leaves = `
  exports.up = (knex) => knex.raw('create table second (id int)')
  exports.down = async (knex) => {
    const { rows } = await knex.raw('select command from knex_migrations_runs order by id desc limit 1')
    if (rows[0].command === 'down') process.kill(process.pid, 'SIGKILL')
  }
`

/** The lines of the history without their times. */
async function what(project: Project, env: Readonly<Record<string, string>>, ...flags: string[]): Promise<string[]> {
  const { stdout } = await project.run(['history', ...flags], env)
  return stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) =>
      line
        .replace(/^\S+ \S+ +/, '')
        .replaceAll(/\d+ ms|[\d.]+ s\b/g, '? ms')
        .trim()
        .replaceAll(/ {2,}/g, ' | '),
    )
}

describeOnServers('after a bad day the history', (database) => {
  test('names the migration that failed, with its error, and those that were undone, in the words of people', async () => {
    const env = { DATABASE_URL: database().url ?? '' }
    const role = new URL(env.DATABASE_URL).username
    const project = await createProject({
      'knexfile.js': knexfile,
      'migrations/001_first.js': migrationOf('create table first (id int)', 'drop table first'),
      'migrations/002_broken.js': migrationOf('create table never (id int); select 1 / 0'),
      'migrations/003_third.js': migrationOf('select 1'),
    })
    expect((await project.run(['up'], env)).code).toBe(2)
    expect((await project.run(['down', '--yes'], env)).code).toBe(0)
    expect(await what(project, env)).toEqual([
      `up failed | ? ms | ${role}`,
      `applied (batch 1) | 001_first | ? ms | ${role}`,
      `up failed (22012) | 002_broken | ? ms | ${role}`,
      `down succeeded | ? ms | ${role}`,
      `rolled back (batch 1) | 001_first | ? ms | ${role}`,
    ])
    const verbose = await what(project, env, '--verbose')
    expect(verbose[0]).toMatch(/run 1\) \| not reached: 003_third$/)
    expect(verbose[2]).toMatch(/run 1\) \| division by zero$/)
  })

  test('shows what a killed run had done, and its current migration', async () => {
    const env = { DATABASE_URL: database().url ?? '' }
    const role = new URL(env.DATABASE_URL).username
    const project = await createProject({
      'knexfile.js': knexfile,
      'migrations/001_first.js': migrationOf('create table first (id int)', 'drop table first'),
      'migrations/002_leaves.js': leaves,
      'migrations/003_third.js': migrationOf('create table third (id int)', 'drop table third'),
    })
    expect((await project.run(['up'], env)).code).toBe(0)
    expect((await project.run(['down', '--steps', '3', '--yes'], env)).code).toBeNull()
    expect((await what(project, env)).slice(-1)).toEqual([`down not ended | ${role}`])
    expect((await project.run(['up', '--wait', '10s'], env)).stdout).toBe('✓ 003_third\nApplied 1\n')
    expect(
      (await what(project, env, '--verbose'))
        .slice(4)
        .map((line) => line.replace(/ \| [a-z]+ \| [^|]+ \| [^|]*run (\d)\)/, ' in $1')),
    ).toEqual([
      'down died | ? ms in 3 | not reached: 001_first',
      'rolled back | 003_third in 3',
      'down died | 002_leaves in 3',
      'up succeeded | ? ms in 4',
      'applied (batch 2) | 003_third | ? ms in 4',
    ])
  })
})
