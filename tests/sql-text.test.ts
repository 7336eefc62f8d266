import { array, assert, asyncProperty, constantFrom, oneof, property, string } from 'fast-check'
import type { Knex } from 'knex'

import { inlineBindings } from '../src/sql-text/inline-bindings.ts'
import { firstWords, splitStatements } from '../src/sql-text/split-statements.ts'
import { tokensOf } from '../src/sql-text/tokens.ts'
import { describeEmbedded, describeOnEveryDatabase } from './support/databases.ts'

const rule = 'create rule r as on insert to t do (select 1; select 2)'
const standardFunction = 'create function f() returns int begin atomic select case 1 when 1 then 2 end; select 3; end'

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
    ['a rule', `${rule}; select 3`, [rule, 'select 3']],
    ['a function in standard SQL', `${standardFunction}; select 4`, [standardFunction, 'select 4']],
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

describeEmbedded('splitting SQL into statements', (database) => {
  test('finds as many as the server does', async () => {
    const value = oneof(
      anyText().map((characters) => `'${characters.replaceAll("'", "''")}'`),
      constantFrom('$$;$$', `$a$;'$a$`, `E'\\';'`, `'\\'`, '1 /* ; /* ; */ */', '2 -- ;\n', `date'2026-01-01'`),
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
    expect(inlineBindings(`select '$1', "$1", $1, $$ $1 $$ -- $1`, ['a'])).toBe(
      `select '$1', "$1", 'a', $$ $1 $$ -- $1`,
    )
    expect(inlineBindings('create function f(int) returns int return $1', [])).toContain('$1')
  })

  test('tells the tenth from the first', () => {
    const values = Array.from({ length: 11 }, (_, index) => `v${index + 1}`)
    expect(inlineBindings('select $1, $10, $11', values)).toBe(`select 'v1', 'v10', 'v11'`)
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
        inlined.push(inlineBindings(sql, bindings)),
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
        const sql = inlineBindings('select $1::text as value, $2::text[] as list', [value, list])
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
