import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'

import { ensurePgvector } from '../src/index.ts'
import { confirm } from '../src/cli/confirm.ts'
import { loggerFrom } from '../src/database/logger.ts'
import { PgvectorMigrationError } from '../src/core/errors.ts'
import { printable, printableJson, printableLines } from '../src/core/printable.ts'
import { escapeAllButColours } from '../src/cli/output/colour.ts'
import { showStatement } from '../src/cli/output/statement.ts'
import { table } from '../src/cli/output/table.ts'
import type { CliResult } from './support/cli.ts'
import { describeOnOneServer, type TestDatabase } from './support/databases.ts'
import { createProject, knexfile, type Project } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

jest.setTimeout(180_000)
afterEach(removeTemporaryFolders)
afterEach(() => jest.restoreAllMocks())

const ESCAPE = '\u001B'

/** What begins and ends our colours; a name of somebody else's has the same. */
const OUR_COLOURS = new RegExp(String.raw`${ESCAPE}\[(?:1|2|22|31|32|33|36|39|90)m`, 'g')

/** Is in a name behind what would begin a line of its own. */
const FORGED = 'FORGED'

/** As long as a name may be. */
const hostile = `x\u001B[31mRED\r\n${FORGED}\u0007\u009B1m\u202E\u2028`

const escaped = String.raw`x\x1B[31mRED\r\nFORGED\x07\u009B1m\u202E\u2028`

const quoted = `"${hostile}"`

/** Fails where a terminal would act on something that is not ours, or a line is not ours but in the midst of SQL. */
function expectHarmless({ stdout, stderr }: CliResult): void {
  const printed = stdout + stderr
  expect(printed.replaceAll(OUR_COLOURS, '')).not.toMatch(/[^\P{Cc}\n]|[\p{Bidi_Control}\u2028\u2029]/u)
  expect(printed).not.toContain('\u001B[31mRED')
  expect(printed).not.toMatch(new RegExp(`^ {0,3}(?:→ )?${FORGED}(?!\\S*" (?:on|using|\\(id) )`, 'm'))
}

const declared = `
  import { vectorColumn, vectorIndex } from 'knex-pgvector'
  const name = ${JSON.stringify(hostile)}
  export const embedding = vectorColumn(name, name, { dimensions: 3 })
  export const indexes = [vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', name: 'i' + name })]
`

const migrations = {
  [`migrations/001_${hostile}.js`]: `
    exports.up = (knex) => knex.raw(${JSON.stringify(`create table ${quoted} (id int, embedding vector(3))`)})
    exports.down = (knex) => knex.raw(${JSON.stringify(`drop table ${quoted}`)})`,
  [`migrations/002_${hostile}.js`]: `
    exports.up = (knex) => knex.raw(${JSON.stringify(`create index "i${hostile}" on ${quoted} using hnsw (embedding vector_l2_ops)`)})
    exports.down = (knex) => knex.raw('select 1')`,
  [`migrations/003_${hostile}.js`]: `
    exports.up = (knex) => knex.raw(${JSON.stringify(`do $$ begin raise exception using message = $m$${hostile}$m$, detail = $m$${hostile}$m$, hint = $m$${hostile}$m$; end $$`)})
    exports.down = (knex) => knex.raw('select 1')`,
}

/** A role with such a name, for as long as \`work\` runs. */
async function asHostileRole<Result>(
  { knex, url }: TestDatabase,
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  const { rows } = await knex.raw('select current_user as name')
  await knex.raw(`create role ${quoted} superuser login password 'h9Zk2'`)
  const own = new URL(url ?? '')
  own.username = encodeURIComponent(hostile)
  own.password = 'h9Zk2'
  try {
    return await work(own.href)
  } finally {
    await knex.raw(`reassign owned by ${quoted} to "${rows[0].name}"`)
    await knex.raw(`drop owned by ${quoted}`)
    await knex.raw(`drop role ${quoted}`)
  }
}

describeOnOneServer('a name with control characters', (database) => {
  test.each([
    ['off a terminal', {}],
    ['where colours are forced', { FORCE_COLOR: '1' }],
  ])('is escaped in all that commands print, %s', async (_, colours) => {
    await ensurePgvector(database().knex, { logger: false })
    const project: Project = await createProject({ 'knexfile.js': knexfile, 'vectors.ts': declared, ...migrations })
    await asHostileRole(database(), async (url) => {
      const run = async (...flags: string[]): Promise<CliResult> => {
        const result = await project.run(flags, { DATABASE_URL: url, ...colours })
        expectHarmless(result)
        return result
      }
      const said = async (...flags: string[]): Promise<string> => {
        const { stdout, stderr } = await run(...flags)
        return (stdout + stderr).replaceAll(OUR_COLOURS, '')
      }
      expect(await said('status')).toContain(`001_${escaped}: PENDING`)
      expect(await said('plan', '--to', '002')).toContain(`001_${escaped}`)
      expect(await said('lint', '--to', '002')).toContain(`002_${escaped}`)
      expect(await said('rehearse', '--to', '002')).toContain(`001_${escaped}: `)
      expect(await said('up', '--to', '001')).toContain(`✓ 001_${escaped}`)
      expect(await said('diff', '--declared', 'vectors.ts')).toContain(escaped)
      const failed = await said('up')
      expect(failed).toContain(`✗ Migration 003_${escaped} failed (up)`)
      expect(failed).toContain(`    FORGED`)
      expect(failed).toContain(String.raw`x\x1B[31mRED`)
      expect(await said('status')).toContain(`002_${escaped}: APPLIED`)
      const history = await said('history', '--verbose')
      expect(history).toContain(`001_${escaped}`)
      expect(history).toMatch(new RegExp(` ${escaped.replaceAll(/[\\[\]]/g, String.raw`\$&`)} `))
      expect(await said('index', 'list')).toContain(`public."i${escaped}"`)
      await run('doctor')
      expect(await said('down', '--dry-run', '--steps', '2')).toContain(`public."${escaped}"`)
      expect(await said('up', '--to', hostile)).toContain(`Migration ${escaped} does not exist`)
      await run(hostile.replace('\n', ''))
      const { stdout } = await run('history', '--json')
      expect(JSON.parse(stdout)).toMatchObject({
        entries: expect.arrayContaining([expect.objectContaining({ migration: `001_${hostile}`, role: hostile })]),
      })
    })
  })

  test('stays as it is in a script, which psql is to read', async () => {
    await ensurePgvector(database().knex, { logger: false })
    const project = await createProject({ 'knexfile.js': knexfile, ...migrations })
    const { stdout } = await project.run(['plan', '--to', '001', '--script'], { DATABASE_URL: database().url ?? '' })
    expect(stdout).toContain(`create table ${quoted} (id int, embedding vector(3));`)
  })
})

describe('a text with control characters', () => {
  test('is escaped as psql does it', () => {
    expect(printable(`${hostile}\t\u007F\u2069\u2029`)).toBe(String.raw`${escaped}\t\x7F\u2069\u2029`)
    expect(printableLines('\ta\r\nb\r')).toEqual(['  a', String.raw`b\r`])
  })

  test('is escaped in a document, which means the same', () => {
    const value = { [hostile]: `${hostile}\u007F` }
    const document = printableJson(value)
    expect(document).not.toMatch(/[^\P{Cc}\n]|[\p{Bidi_Control}\u2028\u2029]/u)
    expect(JSON.parse(document)).toEqual(value)
  })

  test('keeps a cell of a table to one line', () => {
    expect(table(['a', 'b'], [[hostile, 'c']])).toEqual([`a${' '.repeat(escaped.length)} b`, `${escaped}  c`])
    expect(escapeAllButColours(hostile)).toBe(escaped)
  })

  test('is escaped in the message and the hint of an error, and exact in its details', () => {
    const error = new PgvectorMigrationError('RELATION_NOT_FOUND', { name: hostile, kind: 'table' })
    expect(error.message).toBe(`Table ${escaped} does not exist`)
    expect(error.stack).not.toContain(hostile)
    expect(error.details.name).toBe(hostile)
    const { message } = new PgvectorMigrationError('INDEX_BUILD_FAILED', { index: 'i', problem: 'a\nNext b' })
    expect(message).toBe('Index i was not built: a\n    Next b')
  })

  test('is escaped in a question', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()]
    input.end('y\n')
    expect(await confirm(`Roll back ${hostile}?`, input, output)).toBe(true)
    output.end()
    expect(await text(output)).toBe(`Roll back ${escaped}? [y/N] `)
  })

  test('is escaped on the console', () => {
    const warn = jest.spyOn(console, 'warn').mockReturnValue()
    loggerFrom(undefined).warn(hostile)
    expect(warn).toHaveBeenCalledWith(escaped)
  })

  test('does not move the mark below a statement', () => {
    expect(showStatement({ statement: 'select "\u0007" frm', position: 12 })).toEqual([
      '1 | select "\u0007" frm',
      `    ${' '.repeat('select "\\x07" '.length)}^`,
    ])
  })
})
