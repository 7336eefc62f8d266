import { array, assert, asyncProperty, constantFrom, oneof, property, string } from 'fast-check'
import type { Knex } from 'knex'
import { loadModule, scanSync } from 'libpg-query'

import { literalValue } from '../src/database/literal-values.ts'
import { inlineBindings } from '../src/sql-text/inline-bindings.ts'
import { firstWords, splitStatements } from '../src/sql-text/split-statements.ts'
import { tokensOf } from '../src/sql-text/tokens.ts'
import { describeEmbedded, describeOnEveryDatabase } from './support/databases.ts'

const rule = 'create rule r as on insert to t do (select 1; select 2)'
const standardFunction = 'create function f() returns int begin atomic select case 1 when 1 then 2 end; select 3; end'
const namedFunction = 'create or replace procedure p() begin atomic select 1 as end; select 2 case; select t.end; end'

describe('splitting SQL into statements', () => {
  test.each([
    ['two statements', 'select 1; select 2', ['select 1', 'select 2']],
    ['semicolons that end nothing', ';; select 1 ;;', ['select 1']],
    ['nothing but comments', '-- one;\n/* two; */', []],
    ['a string', `select 'a;''b'; select 2`, [`select 'a;''b'`, 'select 2']],
    ['a string with escapes', `select E'a\\';b'; select 2`, [`select E'a\\';b'`, 'select 2']],
    ['a string that ends in a backslash', `select 'a\\'; select 2`, [`select 'a\\'`, 'select 2']],
    ['a string after a type', `select date'2026-01-01'; select 2`, [`select date'2026-01-01'`, 'select 2']],
    ['a name in quotes', 'select 1 as "a;""b"; select 2', ['select 1 as "a;""b"', 'select 2']],
    ['a dollar quote', 'do $$ begin; end $$; select 2', ['do $$ begin; end $$', 'select 2']],
    ['a dollar quote in another', 'do $a$ $$;$$ $b$;$a$; select 2', ['do $a$ $$;$$ $b$;$a$', 'select 2']],
    ['a name with a dollar', 'select 1 as a$b; select 2 as c$d', ['select 1 as a$b', 'select 2 as c$d']],
    ['comments in comments', 'select /* a /* b; */ c; */ 1; select 2', ['select /* a /* b; */ c; */ 1', 'select 2']],
    ['a comment at the end', 'select 1 -- done;', ['select 1']],
    ['a string of two lines', `select 'a'\n 'b;'; select 2`, [`select 'a'\n 'b;'`, 'select 2']],
    [
      'a string that goes on after a comment',
      `select E'a' -- so\r 'b\\';'; select 2`,
      [`select E'a' -- so\r 'b\\';'`, 'select 2'],
    ],
    ['two strings of one line', `select U&'a' 'b;'; select 2`, [`select U&'a' 'b;'`, 'select 2']],
    ['a comment that a carriage return ends', 'select 1 -- a;\r; select 2', ['select 1', 'select 2']],
    [
      'a comment in an operator',
      'select 1 +-- ;\n 2; select 2 */* ; */ 3',
      ['select 1 +-- ;\n 2', 'select 2 */* ; */ 3'],
    ],
    ['a name with escapes', `select 1 as U&"a;\\003B"; select 2`, [`select 1 as U&"a;\\003B"`, 'select 2']],
    ['a rule', `${rule}; select 3`, [rule, 'select 3']],
    ['a function in standard SQL', `${standardFunction}; select 4`, [standardFunction, 'select 4']],
    ['a function with names like keywords', `${namedFunction}; select 4`, [namedFunction, 'select 4']],
    [
      'names like the beginning of a body',
      'select begin atomic from t; select 2',
      ['select begin atomic from t', 'select 2'],
    ],
  ])('sees %s as psql does', (_what, sql, statements) => {
    expect(splitStatements(sql)).toEqual(statements)
  })

  test('keeps the comments in front of a statement, and reads its first words behind them', () => {
    const [statement = ''] = splitStatements('/* why */ -- what\n  Create  extension vector;')
    expect(statement).toBe('/* why */ -- what\n  Create  extension vector')
    expect(firstWords(statement, 2)).toEqual(['create', 'extension'])
  })

  test('loses no character of any text, however broken', () => {
    const pieces = constantFrom(`'`, '"', '$$', '$a$', '--', '/*', '*/', 'E', '\\', ';', '\n', ' ', 'a', '$1', '(')
    const texts = array(oneof(pieces, string()), { maxLength: 20 }).map((parts) => parts.join(''))
    assert(
      property(texts, (sql) => {
        expect(Array.from(tokensOf(sql), ({ text }) => text).join('')).toBe(sql)
      }),
    )
  })
})

describe('reading SQL', () => {
  beforeAll(loadModule)

  const pieces = [
    `'`,
    `''`,
    `E'`,
    `e'`,
    `U&'`,
    'u&"',
    `B'`,
    `x'`,
    `N'`,
    '"',
    '""',
    '\\',
    `\\'`,
    '$$',
    '$a$',
    '$é$',
    '$1',
    '$',
    '&',
    '--',
    '/*',
    '*/',
    '\n',
    '\r',
    ' ',
    '\t',
    '\f',
    '\v',
    '\u00a0',
    '-- \n',
    `'\n'`,
    `' -- b\r '`,
    '+',
    '-',
    '*',
    '/',
    '<',
    '=',
    '@',
    '|',
    '~',
    '?',
    ':',
    '::',
    ':=',
    '..',
    '.',
    '<->',
    '<#>',
    ';',
    '(',
    ')',
    ',',
    'a',
    'b$',
    'é',
    '漢',
    'E',
    'select',
    'end',
    'U',
    '0',
    '12',
    '1_0',
    '0x1f',
    '1.5',
    '.5',
    '1e5',
    '2e-7',
    '3.',
  ]
  const texts = array(oneof({ weight: 9, arbitrary: constantFrom(...pieces) }, string()), { maxLength: 16 })

  test('finds the tokens that PostgreSQL finds in everything that it accepts', () => {
    let accepted = 0
    assert(
      property(texts, (parts) => {
        const sql = parts.join('').replaceAll('\0', '')
        const expected = scanned(sql)
        if (expected === null) return
        accepted++
        expect(Array.from(tokensOf(sql)).filter(({ kind }) => kind !== 'space')).toEqual(
          expected.map((text) => expect.objectContaining({ text })),
        )
      }),
      { numRuns: 5000 },
    )
    expect(accepted).toBeGreaterThan(500)
  })

  /** The texts of PostgreSQL's own tokens; null for what it does not accept, and where its copy here differs. */
  function scanned(sql: string): string[] | null {
    const bytes = Buffer.from(sql)
    try {
      const found = scanSync(sql).tokens.map(({ start, end }) => bytes.subarray(start, end).toString())
      // It keeps comments for itself, and so does not join two literals that have one between them, as a server does.
      return found.some((text, place) => text.endsWith(`'`) && found[place + 1]?.startsWith('--')) ? null : found
    } catch {
      return null
    }
  }
})

describeEmbedded('splitting SQL into statements', (database) => {
  test('finds as many as the server does', async () => {
    const value = oneof(
      anyText().map((characters) => `'${characters.replaceAll("'", "''")}'`),
      constantFrom(
        '$$;$$',
        `$a$;'$a$`,
        `'a' -- b\r--;\n ';'`,
        `U&';'\n\n'a'`,
        `E'a' -- '\n'\\';'`,
        `'a'/* ; */`,
        '3- -4.5',
        `E'\\';'`,
        `'\\'`,
        '1 /* ; /* ; */ */',
        '2 -- ;\n',
        `date'2026-01-01'`,
      ),
    )
    const statement = array(value, { minLength: 1, maxLength: 3 }).map((values) => `select ${values.join(', ')}`)
    await assert(
      asyncProperty(array(statement, { minLength: 2, maxLength: 5 }), async (statements) => {
        const sql = statements.join(';\n')
        const results = await directly<readonly unknown[]>(database().knex, sql)
        expect(splitStatements(sql)).toHaveLength(results.length)
      }),
      { numRuns: 50 },
    )
  })
})

describe('writing bindings into a statement', () => {
  test('leaves alone what only looks like one', () => {
    expect(inlineBindings(`select '$1', "$1", $1, $$ $1 $$ -- $1`, ['a'], literalValue)).toBe(
      `select '$1', "$1", 'a', $$ $1 $$ -- $1`,
    )
    expect(inlineBindings('create function f(int) returns int return $1', [], literalValue)).toContain('$1')
  })

  test('tells the tenth from the first', () => {
    const values = Array.from({ length: 11 }, (_, index) => `v${index + 1}`)
    expect(inlineBindings('select $1, $10, $11', values, literalValue)).toBe(`select 'v1', 'v10', 'v11'`)
  })
})

const date = new Date(2026, 6, 1, 12, 30, 15, 250)

const samples: readonly (readonly [type: string, value: unknown])[] = [
  ['text', `it's "so", \\? ?? $1 $$ $a$ C:\\new\\`],
  ['text', 'one\r\ntwo\t ä漢🐘'],
  ['text', 5],
  ['text', null],
  ['text', { toPostgres: () => "it's mine" }],
  ['int', 42],
  ['numeric', -1.5e-7],
  ['float8', Number.NaN],
  ['float8', Number.NEGATIVE_INFINITY],
  ['bigint', 9_007_199_254_740_993n],
  ['boolean', true],
  ['timestamptz', date],
  ['timestamp', date],
  ['date', date],
  ['bytea', Buffer.from([0, 39, 92, 255])],
  ['text[]', ['a', `b,'"\\`, null, '']],
  [
    'int[][]',
    [
      [1, 2],
      [3, 4],
    ],
  ],
  ['bytea[]', [Buffer.from([1, 92])]],
  ['int[]', []],
  ['jsonb', { a: [1, "it's", null], 'b?': '\\' }],
]

describeOnEveryDatabase('writing bindings into a statement', (database) => {
  test('means the same for values of every type', async () => {
    const { knex } = database()
    for (const [index, [type, value]] of samples.entries()) {
      const table = `sample_${index}`
      await knex.raw(`create table ${table} (id serial, value ${type})`)
      const inlined: string[] = []
      knex.once('query', ({ sql, bindings }: { readonly sql: string; readonly bindings: readonly unknown[] }) =>
        inlined.push(inlineBindings(sql, bindings, literalValue)),
      )
      await knex.raw(`insert into ${table} (value) values (?)`, [value as Knex.RawBinding])
      await directly(knex, inlined.join())
      const { rows } = await knex.raw<{ rows: { value: string | null }[] }>(
        `select value::text from ${table} order by id`,
      )
      const [sent, written] = rows.map((row) => row.value)
      expect([type, written]).toEqual([type, sent])
    }
  })
})

describeEmbedded('writing bindings into a statement', (database) => {
  test('means the same for any text', async () => {
    await assert(
      asyncProperty(anyText(), array(anyText()), async (value, list) => {
        const sql = inlineBindings('select $1::text as value, $2::text[] as list', [value, list], literalValue)
        const { rows } = await directly<{ rows: unknown[] }>(database().knex, sql)
        expect(rows).toEqual([{ value, list }])
      }),
      { numRuns: 100 },
    )
  })
})

/** Any text that PostgreSQL can hold. */
function anyText(): ReturnType<typeof string> {
  return string({ unit: 'grapheme' }).filter((characters) => !characters.includes('\0'))
}

/** Sends a text as it is, as psql does: Knex would look for bindings in it. */
async function directly<Answer>(knex: Knex, sql: string): Promise<Answer> {
  const connection = (await knex.client.acquireConnection()) as { query(sent: string): Promise<Answer> }
  try {
    return await connection.query(sql)
  } finally {
    await knex.client.releaseConnection(connection)
  }
}
