import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { ensurePgvector } from '../src/index.ts'
import { type Finding } from '../src/doctor.ts'
import { runCli, type CliResult } from './support/cli.ts'
import { describeOnServers, describeWithoutPgvector } from './support/databases.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

interface Document {
  readonly findings: readonly Finding[]
  readonly errors: number
  readonly warnings: number
  readonly unknown: number
}

const empty = 'exports.up = exports.down = () => Promise.resolve()\n'

/** Runs `doctor` in a folder with one migration. */
async function doctor(url: string | null, ...flags: readonly string[]): Promise<CliResult> {
  const cwd = await temporaryFolder()
  await mkdir(join(cwd, 'migrations'))
  await writeFile(join(cwd, 'migrations', '001_first.js'), empty)
  return runCli(['doctor', '--database-url', url ?? '', ...flags], { cwd })
}

afterAll(removeTemporaryFolders)

describeOnServers('knex-pgvector doctor', (database) => {
  test('prints one page, and exits with 0 where nothing is an error', async () => {
    const { knex, url, pgvector } = database()
    await ensurePgvector(knex, { logger: false })
    const { code, stdout, stderr } = await doctor(url)
    expect(code).toBe(0)
    expect(stderr).toBe('')
    const lines = stdout.split('\n')
    expect(lines.slice(0, 2)).toEqual(['Diagnosis', '='.repeat(50)])
    expect(lines).toContain(`  ✓ extension   pgvector ${pgvector} in the schema "public", and it works`)
    expect(lines).toContain('  ✓ lock        does not exist yet: the first run creates it')
    expect(lines).toContain('                → npx knex-pgvector up')
    expect(lines.at(-2)).toMatch(/^Errors: 0, warnings: \d+, not looked at: 0$/)
    expect(lines.length).toBeLessThan(40)
  })

  test('exits with 3 on an error, and shows the statement that fixes it', async () => {
    const { knex, url } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw(`update pg_extension set extversion = '0.4.4' where extname = 'vector'`)
    const { code, stdout } = await doctor(url)
    expect(code).toBe(3)
    expect(stdout).toMatch(/^ {2}✗ extension {3}pgvector version 0\.4\.4 < required 0\.5\.0\n {16}→ .*ALTER EXTENSION/m)
  })

  test('takes the oldest version that will do', async () => {
    const { knex, url } = database()
    await ensurePgvector(knex, { logger: false })
    const { code, stdout } = await doctor(url, '--min-version', '99.0.0')
    expect(code).toBe(3)
    expect(stdout).toContain('< required 99.0.0')
    expect((await doctor(url, '--min-version', 'newest')).code).toBe(2)
  })

  test('prints the findings as one JSON document', async () => {
    const { knex, url } = database()
    await ensurePgvector(knex, { logger: false })
    const { code, stdout } = await doctor(url, '--json')
    expect(code).toBe(0)
    const { findings, errors, warnings, unknown } = JSON.parse(stdout) as Document
    expect({ errors, unknown }).toEqual({ errors: 0, unknown: 0 })
    expect(warnings).toBe(findings.filter(({ level }) => level === 'warning').length)
    expect(findings).toContainEqual({ level: 'ok', check: 'indexes', message: expect.stringMatching(/^no index/) })
  })

  test('explains why there is no connection, exits with 2, and keeps the password to itself', async () => {
    const { url } = database()
    const wrong = new URL(url ?? '')
    wrong.password = 'hunter2'
    const refused = await doctor(wrong.href)
    expect(refused.code).toBe(2)
    expect(refused.stdout).toContain('✗ connection  No connection to the database: password authentication failed')
    wrong.port = '1'
    const absent = await doctor(wrong.href, '--json')
    expect(absent.code).toBe(2)
    expect((JSON.parse(absent.stdout) as Document).findings).toMatchObject([
      { level: 'error', check: 'connection', next: expect.stringContaining('Start the server') },
    ])
    for (const { stdout, stderr } of [refused, absent]) expect(stdout + stderr).not.toContain('hunter2')
  })
})

describeWithoutPgvector('knex-pgvector doctor on a server without pgvector', (database) => {
  test('exits with 3 and names the package', async () => {
    const { url, major } = database()
    const { code, stdout } = await doctor(url)
    expect(code).toBe(3)
    expect(stdout).toContain(`✗ extension   pgvector extension not available. Ensure postgresql-${major}-pgvector`)
  })
})
