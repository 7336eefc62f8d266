import { describeOnServers } from './support/databases.ts'
import { createProject, knexfile, migrationOf, type Project } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const vectors = `
  const { ensurePgvector, dropPgvector } = require('knex-pgvector')
  exports.up = async (knex) => {
    await ensurePgvector(knex)
    await knex.raw("create table entries (id int, embedding vector(3)); insert into entries values (1, '[1,2,3]'), (2, null)")
  }
  exports.down = async (knex) => {
    await knex.raw('drop table entries')
    await dropPgvector(knex)
  }`

describeOnServers('npx knex-pgvector down', (database) => {
  /** A project with two migrations, both applied. */
  async function migrated(): Promise<{ project: Project; env: { DATABASE_URL: string } }> {
    const project = await createProject({
      'knexfile.js': knexfile,
      'migrations/001_entries.js': vectors,
      'migrations/002_notes.js': migrationOf('alter table entries add notes text', 'alter table entries drop notes'),
    })
    const env = { DATABASE_URL: database().url ?? '' }
    expect((await project.run(['up', '--quiet'], env)).code).toBe(0)
    return { project, env }
  }

  const lost = `This would be lost:
What                      Type       How much
public.entries            table      2 rows
public.entries.embedding  vector(3)  1 value
`

  test('says with --dry-run what would be rolled back and lost, and changes nothing', async () => {
    const { project, env } = await migrated()
    expect(await project.run(['down', '--steps', '2', '--dry-run'], env)).toEqual({
      code: 0,
      stdout: `would roll back 002_notes\nwould roll back 001_entries\n${lost}2 to roll back; nothing was changed\n`,
      stderr: '',
    })
    const { stdout } = await project.run(['down', '--dry-run'], env)
    expect(stdout).toContain('public.entries.notes  text  0 values')
    expect(await database().knex('entries').pluck('id')).toEqual([1, 2])
    const history = await project.run(['history', '--json'], env)
    expect(history.stdout).not.toMatch(/losses|down/)
  })

  test('takes --all and --to 0 for everything', async () => {
    const { project, env } = await migrated()
    for (const everything of [['--all'], ['--to', '0']]) {
      const { stdout } = await project.run(['down', ...everything, '--dry-run', '--json'], env)
      expect(JSON.parse(stdout)).toMatchObject({ migrations: ['002_notes', '001_entries'] })
    }
    expect((await project.run(['down', '--all', '--to', '1'], env)).code).toBe(2)
  })

  test('lists what would be lost, and needs --yes without a terminal', async () => {
    const { project, env } = await migrated()
    const { code, stdout, stderr } = await project.run(['down', '--to', '1'], env)
    expect(stdout).toContain('public.entries.notes  text  0 values')
    expect(stderr).toContain('Rolling back 002_notes needs confirmation, and there is no terminal to ask on')
    expect(code).toBe(2)
    expect((await project.run(['status'], env)).stdout).toContain('Applied: 2 / 2')
  })

  test('rolls back with --yes, prints what it rolled back, and up restores the catalog', async () => {
    const { project, env } = await migrated()
    const { code, stdout } = await project.run(['down', '--steps', '2', '--yes'], env)
    expect(stdout.startsWith(lost)).toBe(true)
    // What the migration says when it is only looked at is not shown: it is said once.
    expect(stdout.match(/pgvector \S+ dropped from the schema/g)).toHaveLength(1)
    expect(stdout).toMatch(/✓ 002_notes\n✓ 001_entries\nRolled back 2\n$/)
    expect(code).toBe(0)
    expect(await database().knex.schema.hasTable('entries')).toBe(false)
    expect((await project.run(['down', '--yes'], env)).stdout).toBe('Nothing to roll back\n')
  })

  test('prints one JSON document with --json', async () => {
    const { project, env } = await migrated()
    const dry = await project.run(['down', '--dry-run', '--json', '--steps', '2'], env)
    expect(JSON.parse(dry.stdout)).toMatchObject({
      dryRun: true,
      migrations: ['002_notes', '001_entries'],
      losses: {
        tables: [{ table: 'public.entries', rows: 2, isEstimate: false }],
        columns: [{ table: 'public.entries', column: 'embedding', type: 'vector(3)', rows: 1 }],
      },
    })
    const done = await project.run(['down', '--yes', '--json'], env)
    expect(JSON.parse(done.stdout)).toMatchObject({
      direction: 'down',
      migrations: [{ name: '002_notes' }],
      losses: { columns: [{ column: 'notes', rows: 0, isVector: false }] },
    })
  })

  test('explains how it knows what would be lost of a table that another session uses', async () => {
    const { project, env } = await migrated()
    const reader = await database().connect().transaction()
    await reader.raw('select from entries')
    const { code, stdout } = await project.run(['down', '--dry-run'], env)
    await reader.rollback()
    expect(stdout).toBe(`would roll back 002_notes
This would be lost:
What                  Type  How much
public.entries.notes  text  0 values
⚠ 002_notes failed in this preview: canceling statement due to lock timeout. Its losses were determined on an embedded copy, which lacks objects that were created by hand.
1 to roll back; nothing was changed
`)
    expect(code).toBe(0)
  })

  test('exits with 2 for a migration that there is not', async () => {
    const { project, env } = await migrated()
    const { code, stderr } = await project.run(['down', '--to', '9', '--yes'], env)
    expect(stderr).toContain('Migration 9 does not exist')
    expect(code).toBe(2)
  })
})
