import { cp, readFile, readdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

import { describeOnServers, describeWithoutPgvector, type CurrentDatabase } from './support/databases.ts'
import { packedLibrary } from './support/packed.ts'
import { run } from './support/run.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

// npm installs real packages here, on a machine that may be busy.
jest.setTimeout(4 * 60_000)

const examples = join(__dirname, '..', 'examples')

afterAll(removeTemporaryFolders)

test('every example has a test here', async () => {
  expect((await readdir(examples)).toSorted()).toEqual([
    '1-enable-in-a-migration',
    '2-ensure-at-boot',
    '3-tests-on-pglite',
  ])
})

describe('the example 1-enable-in-a-migration', () => {
  test('does on the embedded database what its README says', async () => {
    const { output, promised } = await runReadme('1-enable-in-a-migration')
    expect(linesMissing(promised, output)).toEqual([])
  })
})

describeOnServers('the example 1-enable-in-a-migration', (database) => {
  test('does the same on a server, and leaves nothing behind', async () => {
    const { output, promised } = await runReadme('1-enable-in-a-migration', { database })
    expect(linesMissing(promised.replace(', PGlite', ''), output)).toEqual([])
    expect(await database().knex('pg_extension').where({ extname: 'vector' })).toEqual([])
  })
})

describeOnServers('the example 2-ensure-at-boot', (database) => {
  test('starts three replicas at once, of which one enables pgvector', async () => {
    const { output, promised } = await runReadme('2-ensure-at-boot', { database })
    expect(linesMissing(promised, output)).toEqual([])
    expect(output.match(/^port \d+: pgvector \S+ \w+$/gm)).toHaveLength(3)
    expect(output.match(/ created$/gm)).toHaveLength(1)
    expect(output.match(/ unchanged$/gm)).toHaveLength(2)
  })
})

describeWithoutPgvector('the example 2-ensure-at-boot', (database) => {
  test('says how to install pgvector where the server lacks it, and ends with the exit code 1', async () => {
    const { output } = await runReadme('2-ensure-at-boot', { database, exitCode: 1 })
    expect(output).toContain('pgvector extension not available. Ensure postgresql-17-pgvector is installed\n')
    expect(output).toContain('On the database server: apt install postgresql-17-pgvector')
    expect(output).toContain('docs/errors.md#pgvector_not_available\n')
    expect(output).toContain('stopped with the exit codes 1, 1, 1\n')
  })
})

describe('the example 3-tests-on-pglite', () => {
  test('is type-checked and passes its own tests', async () => {
    const { output, promised } = await runReadme('3-tests-on-pglite')
    expect(linesMissing(promised, output)).toEqual([])
  })
})

interface ReadmeRun {
  /** Everything that was printed. */
  readonly output: string
  /** What the README says will be printed. */
  readonly promised: string
}

interface ReadmeNeeds {
  /** The server that DATABASE_URL names; none where it is absent. */
  readonly database?: CurrentDatabase
  readonly exitCode?: number
}

/** Runs the one shell block of an example's README, word for word, in a copy that installs this very library. */
async function runReadme(name: string, { database, exitCode = 0 }: ReadmeNeeds = {}): Promise<ReadmeRun> {
  const app = await prepared(name)
  const readme = await readFile(join(app, 'README.md'), 'utf8')
  const [shell, ...others] = blocks(readme, 'sh')
  const [promised] = blocks(readme, 'text')
  if (shell === undefined || promised === undefined || others.length > 0) {
    throw new Error(`the README of ${name} must have one sh block, and a text block with what it prints`)
  }
  const url = database?.().url ?? ''
  const { code, stdout, stderr } = await run('bash', ['-euo', 'pipefail', '-c', shell], {
    cwd: app,
    env: { ...npmSettings, DATABASE_URL: url },
  })
  const output = stdout + stderr
  if (code !== exitCode) throw new Error(`the shell block of ${name} ended with ${code}:\n${output}`)
  return { output, promised }
}

const npmSettings = {
  NPM_CONFIG_PREFER_OFFLINE: 'true',
  NPM_CONFIG_AUDIT: 'false',
  NPM_CONFIG_FUND: 'false',
  NPM_CONFIG_UPDATE_NOTIFIER: 'false',
}

const copies = new Map<string, Promise<string>>()

// One copy of an example serves all its tests: a second `npm install` in it takes a moment.
function prepared(name: string): Promise<string> {
  const copy = copies.get(name) ?? prepare(name)
  copies.set(name, copy)
  return copy
}

async function prepare(name: string): Promise<string> {
  const app = join(await temporaryFolder(), name)
  const ignored = new Set(['node_modules', 'package-lock.json', '.pgdata', '.pgdata.pid'])
  await cp(join(examples, name), app, { recursive: true, filter: (path) => !ignored.has(basename(path)) })
  const manifest = JSON.parse(await readFile(join(app, 'package.json'), 'utf8')) as Manifest
  expect(manifest.dependencies).toHaveProperty('knex-pgvector')
  manifest.dependencies['knex-pgvector'] = `file:${await packedLibrary()}`
  await writeFile(join(app, 'package.json'), JSON.stringify(manifest))
  return app
}

interface Manifest {
  readonly dependencies: Record<string, string>
}

function blocks(markdown: string, language: string): string[] {
  const found = markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))
  return [...found].map(([, content = '']) => content)
}

function linesMissing(promised: string, output: string): string[] {
  const printed = withoutVersions(output)
  const lines = withoutVersions(promised).trim().split('\n')
  return lines.filter((line) => !printed.includes(line.trim()))
}

// A README shows the versions and ports of one day.
function withoutVersions(text: string): string {
  return text.replaceAll(/(pgvector|PostgreSQL|port|localhost:) ?\d[\d.]*/g, '$1 …')
}
