import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { PlanResult } from '../src/migrator.ts'
import { runCli, type CliResult } from './support/cli.ts'
import { describeOnOneServer } from './support/databases.ts'
import { createProject, knexfile, migrationOf } from './support/project.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

// Each plan starts PostgreSQL in the process that is spawned.
jest.setTimeout(180_000)

/** A project whose migrations say what they do in the console, as many do. */
async function project(migrations: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder()
  await mkdir(join(folder, 'migrations'))
  await writeFile(
    join(folder, 'knexfile.js'),
    `module.exports = { client: 'pg', connection: process.env.DATABASE_URL }`,
  )
  for (const [name, sql] of Object.entries(migrations)) {
    const up = `console.log('at work'); console.info('still at work'); return knex.raw(${JSON.stringify(sql)})`
    await writeFile(
      join(folder, 'migrations', name),
      `exports.up = function (knex) { ${up} }\nexports.down = async () => {}\n`,
    )
  }
  return folder
}

describeOnOneServer('knex-pgvector plan', (database) => {
  afterEach(removeTemporaryFolders)

  const plan = async (folder: string, ...flags: string[]): Promise<CliResult> =>
    runCli(['plan', ...flags], { cwd: folder, env: { DATABASE_URL: database().url ?? '' } })

  const two = {
    '001_notes.js': `
      create table notes (
        id int
      );
      create extension vector`,
    '002_words.js': `insert into notes values (1)`,
  }

  test('prints the statements of each migration, and nothing that migrations say', async () => {
    const { code, stdout, stderr } = await plan(await project(two))
    expect(code).toBe(0)
    expect(stdout.split('\n').filter((line) => !line.startsWith('Note: '))).toEqual([
      '001_notes.js',
      '  create table notes (',
      '    id int',
      '  );',
      '  create extension vector;  -- needs a privileged role',
      '',
      '002_words.js',
      '  insert into notes values (1);',
      '',
      '',
    ])
    expect(stderr).toContain('at work')
    expect(await database().knex.schema.hasTable('knex_migrations')).toBe(false)
  })

  test('prints one document with --json', async () => {
    const { code, stdout } = await plan(await project(two), '--json', '--only', '1')
    expect(code).toBe(0)
    const { migrations, origin, notes } = JSON.parse(stdout) as PlanResult
    expect(migrations).toEqual([
      {
        name: '001_notes.js',
        transactional: true,
        statements: [
          { sql: expect.stringMatching(/^create table notes/), privileged: false },
          { sql: 'create extension vector', privileged: true },
        ],
      },
    ])
    expect(origin).toMatchObject({ applied: [], pgvector: null })
    expect(Array.isArray(notes)).toBe(true)
  })

  test('prints one file for psql with --script', async () => {
    const { code, stdout } = await plan(await project(two), '--script', '--to', '1')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^-- Applies 1 of the pending migrations: 001_notes\.js/)
    expect(stdout).toContain('\ncreate extension if not exists vector;\n')
    expect(stdout).toMatch(/\\endif\n$/)
    expect(stdout).not.toContain('at work')
  })

  test('names the earlier pending migrations that it skipped, also if it fails without them', async () => {
    const app = await createProject({
      'knexfile.js': knexfile,
      'migrations/001_first.js': migrationOf('create table first (id int)'),
      'migrations/002_second.js': migrationOf('alter table first add title text'),
      'migrations/003_third.js': migrationOf('create table third (id int)'),
    })
    const env = { DATABASE_URL: database().url ?? '' }
    const failed = await app.run(['plan', '--only', '2'], env)
    expect(failed.stderr).toMatch(
      /Next {5}It was planned without earlier pending migrations \(001_first\)\. .* --to 002_second\. Otherwise: /,
    )
    expect((await app.run(['plan', '--skip', '1', '2'], env)).stdout).toContain(
      'Planned without earlier pending migrations (001_first, 002_second)',
    )
  })

  test('says so where nothing is pending', async () => {
    const { code, stdout } = await plan(await project({}))
    expect([code, stdout]).toEqual([0, 'Nothing is pending\n'])
  })

  test('ends with 2 where a migration cannot be planned, and names the statement', async () => {
    const { code, stdout, stderr } = await plan(await project({ '001_maps.js': 'create extension postgis' }))
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(
      '001_maps.js failed on the embedded database that makes the plan: create extension postgis  PLAN_FAILED',
    )
    expect(stderr).toContain('extension "postgis" is not available')
    expect(stderr).toContain('npx knex-pgvector rehearse')
  })

  test('ends with 2 where there is no such migration', async () => {
    const { code, stderr } = await plan(await project(two), '--to', '7')
    expect(code).toBe(2)
    expect(stderr).toContain('MIGRATION_NOT_FOUND')
  })
})
