import { allowancesIn } from '../src/lint/allowances.ts'
import { redact } from '../src/sql-text/redact.ts'
import { splitStatements } from '../src/sql-text/split-statements.ts'

const readers = { splitStatements, allowancesIn, redact } as const satisfies Record<string, (sql: string) => unknown>

const pieces = [
  'a ',
  '1',
  '1_',
  '(',
  ';',
  ' ',
  '\n',
  '\u00a0',
  'begin atomic ',
  'create function f() begin atomic select 1; ',
  "'",
  "''",
  "'\\'",
  "E'\\",
  "'a' -- -- ",
  "'a'\n",
  "U&'a'\n--\n",
  '"',
  'u&"',
  '$$',
  '$a$',
  '$a',
  '$a$b',
  '$1',
  '/*',
  '/**/',
  '/*/',
  '*/',
  '--',
  '-- \r',
  '+-',
  '+-*',
  '=+',
  '<->',
  '@-',
  '- ',
  ':',
  '.',

  "password '",
  "password ''a",
  'password /*',
  'password "',
  "password = '\\'",
  'password=',
  'password ',
  "'password',",

  "execute 'password ''",
  '$a$ password $b$ ',
  '://a:',
  '://',
  'a.',
  'a@',
  '-- knex-pgvector: allow a, ',
  '\\',
  '\\"',
]

describe('reading a text of hostile SQL', () => {
  test.each(Object.entries(readers))('takes time in proportion to its length: %s', (_name, read) => {
    const slow = pieces.filter((piece) => {
      const [half = '', whole = ''] = [25_000, 50_000].map((length) => piece.repeat(length / piece.length))
      // What is done in a few milliseconds cannot be compared.
      const isSlow = (): boolean =>
        spent(() => read(whole)) >
        3 *
          Math.max(
            spent(() => read(half)),
            10,
          )
      // Something else may have run in between, such as the collection of garbage.
      return isSlow() && isSlow() && isSlow()
    })
    expect(slow).toEqual([])
  })
})

/** Milliseconds of processor time. */
function spent(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
