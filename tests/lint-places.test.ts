import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'

import type { Knex } from 'knex'

import { githubAnnotations } from '../src/cli/output/github.ts'
import { migrationSource } from '../src/index.ts'
import { lint, lintMigrations, type LintFinding, type LintResult } from '../src/lint.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeEmbedded } from './support/databases.ts'
import { silenceConsole } from './support/migrations.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

jest.setTimeout(120_000)
silenceConsole()

describeEmbedded('a finding', (database) => {
  afterEach(removeTemporaryFolders)

  const lintFile = async (up: string, name = '001.js'): Promise<LintResult> => {
    const directory = await temporaryFolder()
    await writeFile(join(directory, name), up)
    return lint(database().knex, { migrationSource: migrationSource({ directory }) })
  }
  const places = ({ findings }: Pick<LintResult, 'findings'>): [string, number | null][] =>
    findings.map(({ rule, line }) => [rule, line])

  test('names the file and the line of the call, and in a long text the line of the statement', async () => {
    const result = await lintFile(`
      exports.up = async (knex) => {
        await knex.raw('create extension vector')
        await knex.schema.createTable('a', (table) => {
          table.specificType('e', 'vector')
        })
        const names = ['b', 'c']
        for (const name of names) {
          await knex.raw('create table ?? (e vector)', [name])
        }
        await knex.raw(\`
          create table d (id int);

          create table f (
            e halfvec
          )
        \`)
      }`)
    expect(places(result)).toEqual([
      ['unsized-column', 4],
      ['unsized-column', 9],
      ['unsized-column', 9],
      ['unsized-column', 14],
    ])
    expect(result.findings[0]?.file).toMatch(/[\\/]001\.js$/)
  })

  test('has its line in a migration in TypeScript', async () => {
    const up = `
      import type { Knex } from 'knex'
      interface Unused {
        readonly name: string
      }
      export async function up(knex: Knex): Promise<void> {
        const sql: string = 'create extension vector; create table a (e vector)'
        await knex.raw(sql)
      }`
    expect(places(await lintFile(up, '001.ts'))).toEqual([['unsized-column', 8]])
  })

  test('has no line where only a helper knows it, and no file where the source has none', async () => {
    const result = await lintFile(`
      const { EnablePgvector, RunSql, migration } = require('${join(__dirname, '../src/index.ts')}')
      module.exports = migration([
        new EnablePgvector(),
        new RunSql({ up: 'create ' + 'table a (e vector)', down: 'drop table a' }),
      ])`)
    expect(result.findings.map(({ file, line }) => [file === null, line])).toEqual([[false, null]])
    const { findings } = await lintMigrations([
      { name: '001', transactional: true, statements: [{ sql: 'create table a (e vector)' }] },
    ])
    expect(findings.map(({ file, line }) => [file, line])).toEqual([[null, null]])
  })

  test('is a query that is not awaited', async () => {
    const result = await lintFile(`
      exports.up = async (knex) => {
        knex.raw('create table never_sent (id int)')
        knex.schema.createTable('never_made', (table) => table.increments())
        await Promise.all([1, 2].map((n) => knex.raw('create table ?? (id int)', ['t' + n])));
        ['a', 'b'].forEach(async (name) => {
          await knex.raw('create table ' + name + ' (id int)')
        })
      }`)
    expect(places(result)).toEqual([
      ['not-awaited', 3],
      ['not-awaited', 4],
      ['not-awaited', 7],
      ['not-awaited', 7],
    ])
    expect(result.findings[1]?.statement).toMatch(/^create table "never_made"/)
  })

  test('is none where a query is part of another one, returned, or sent later', async () => {
    const result = await lintFile(`
      exports.up = async (knex) => {
        const now = knex.raw('now()')
        const later = knex.raw('create table later (at timestamptz)')
        const rows = knex.raw('select 1 as id')
        await later
        await knex('later').insert({ at: knex.raw('(select ?)', [now]) })
        await knex.select('*').from(knex.raw('(?) as rows', [rows]))
        await knex.schema.createTable('notes', (table) => {
          table.uuid('id').defaultTo(knex.raw('gen_random_uuid()'))
          table.timestamp('at').defaultTo(knex.fn.now())
        })
        await knex.transaction((trx) => trx.raw('select 1'))
        return knex.schema.dropTable('notes')
      }`)
    expect(result.findings).toEqual([])
  })

  test('of a query that is not awaited is allowed by a comment, and a note of the plan', async () => {
    const up = async (knex: Knex): Promise<void> => {
      void knex.raw('-- knex-pgvector: allow not-awaited: a demonstration\ncreate table a (id int)')
    }
    const source: Knex.MigrationSource<string> = {
      getMigrations: () => Promise.resolve(['001']),
      getMigrationName: (name) => name,
      getMigration: () => Promise.resolve({ up, down: up }),
    }
    const { findings, allowed } = await lint(database().knex, { migrationSource: source })
    expect(findings).toEqual([])
    expect(allowed.map(({ rule, reason }) => [rule, reason])).toEqual([['not-awaited', 'a demonstration']])
    const { notes } = await createMigrator(database().knex, { migrationSource: source }).plan()
    expect(notes).toContainEqual(expect.stringMatching(/^001 does not await a query, so it may never be sent: /))
  })
})

describe('an annotation for GitHub', () => {
  const finding: LintFinding = {
    rule: 'cascade',
    migration: '001',
    file: '/work/shop/migrations/a,b:c%.js',
    line: 7,
    statement: 'drop table a cascade',
    message: 'DROP TABLE a CASCADE is 100% wrong\r\n::error::no',
    next: 'Do not.',
    docsUrl: '',
  }
  const resultOf = (given: Partial<LintFinding>, rest: Partial<LintResult> = {}): LintResult => ({
    findings: [{ ...finding, ...given }],
    allowed: [],
    unread: [],
    notes: [],
    ...rest,
  })

  test('is one line, escaped, with a path from the root of the repository', () => {
    expect(githubAnnotations(resultOf({}), '/work/shop')).toEqual([
      '::error file=migrations/a%2Cb%3Ac%25.js,line=7,title=cascade::DROP TABLE a CASCADE is 100%25 wrong%0D%0A::error::no. Do not.',
    ])
  })

  test('has no line and no file that are unknown', () => {
    const unread = [{ migration: '002', file: null, line: null, statement: 'do', reason: 'a DO block' }]
    const result = resultOf({ line: null, message: 'No' }, { unread, notes: ['Planned on 18'] })
    expect(githubAnnotations(result, '/work/shop/migrations')).toEqual([
      '::error file=a%2Cb%3Ac%25.js,title=cascade::No. Do not.',
      '::notice::002: not read: a DO block',
      '::notice::Planned on 18',
    ])
  })
})
