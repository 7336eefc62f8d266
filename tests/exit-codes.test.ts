import { readFileSync } from 'node:fs'

import { exitCodeOfSignal, exitCodes } from '../src/cli/exit-code.ts'
import { describeOnServers } from './support/databases.ts'
import { createProject, knexfile, migrationOf } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const page = readFileSync('docs/command-line.md', 'utf8')

const rows = Array.from(
  page
    .split('## Exit codes')[1]
    ?.split('\n## ')[0]
    ?.matchAll(/^\| (\d+) \| ([^|]+) \|/gm) ?? [],
)

describe('the exit codes in docs/command-line.md', () => {
  test('are those of the command line, with the same meaning', () => {
    expect(rows.map(([, code, meaning]) => ({ code: Number(code), meaning: meaning?.trim() }))).toEqual([
      ...Object.values(exitCodes),
      { code: exitCodeOfSignal('SIGINT'), meaning: 'stopped by SIGINT' },
      { code: exitCodeOfSignal('SIGTERM'), meaning: 'stopped by SIGTERM' },
    ])
  })
})

const broken = `module.exports = { client: 'pg', migrations: { migrationSource: { getMigrations: () => { null.x } } } }`

/** What makes a command end so; the tests of signals are in cli-signals.test.ts. Only recall is ever undecided. */
const examples = {
  done: [['status'], knexfile],
  bug: [['status'], broken.replace(`'pg',`, `'pg', connection: process.env.DATABASE_URL,`)],
  failure: [['status', '--env', 'nowhere'], 'module.exports = { production: {} }'],
  found: [['status', '--exit-code'], knexfile],
} as const satisfies { readonly [Outcome in Exclude<keyof typeof exitCodes, 'undecided'>]: unknown }

describeOnServers('a command', (database) => {
  test.each(Object.entries(examples))('ends with the exit code for: %s', async (outcome, [words, configuration]) => {
    const project = await createProject({
      'knexfile.js': configuration,
      'migrations/001_items.js': migrationOf('create table items (id int)'),
    })
    const { code } = await project.run([...words], { DATABASE_URL: database().url ?? '' })
    expect(code).toBe(exitCodes[outcome as keyof typeof examples].code)
  })

  test('that checks ends with the code for a finding where the database has a broken index', async () => {
    const project = await createProject({ 'knexfile.js': knexfile })
    const { knex, url } = database()
    await knex.raw(`create extension vector; create table items (embedding vector(3));
      create index items_idx on items using hnsw (embedding vector_l2_ops);
      update pg_index set indisvalid = false where indexrelid = 'items_idx'::regclass`)
    for (const words of [['doctor'], ['index', 'list']]) {
      expect(await project.run(words, { DATABASE_URL: url ?? '' })).toMatchObject({ code: exitCodes.found.code })
    }
  })
})
