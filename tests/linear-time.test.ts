import { describeServerError, describeSystemError, serverErrorOf } from '../src/cli/output/server-error.ts'
import { queryVector } from '../src/columns/values.ts'
import { ByteWriter } from '../src/columns/copy/byte-writer.ts'
import { numberCodecs } from '../src/columns/copy/number-codecs.ts'
import { otherCodecs } from '../src/columns/copy/other-codecs.ts'
import { timeCodecs } from '../src/columns/copy/time-codecs.ts'
import { durationOption, millisecondsOf } from '../src/core/durations.ts'
import { errorMessage } from '../src/core/errors.ts'
import { printable } from '../src/core/printable.ts'
import { versionOption } from '../src/core/options.ts'
import { sizeOption } from '../src/core/sizes.ts'
import { identifier, literal, sendable, toRegclass } from '../src/core/sql.ts'
import { statementsOf } from '../src/database/record-statements.ts'
import { rememberMessage, serverMessage } from '../src/database/server-message.ts'
import { allowancesIn } from '../src/lint/allowances.ts'
import { fileNameOf } from '../src/scaffold/file-name.ts'
import { identifierOf } from '../src/sql-text/names.ts'
import { learnPassword, redact } from '../src/sql-text/redact.ts'
import { stringText } from '../src/sql-text/string-text.ts'
import { refuseToEndTransaction } from '../src/sql-text/transaction-guard.ts'
import { vectorColumn, type VectorType } from '../src/index.ts'

const databaseError = (text: string): Error =>
  Object.assign(new Error(`${text} - ${text}`), { code: '42601', position: String(text.length), detail: text })

/** Every function that is given SQL from outside: what splits, inlines bindings, guards, redacts. */
const sqlReaders: Readonly<Record<string, (text: string) => unknown>> = {
  statementsOf: (text) => statementsOf([{ sql: text, bindings: [1], isControl: false, asks: false }], true),
  refuseToEndTransaction: (text) => attempt(() => refuseToEndTransaction(text, '001')),
  redact: (text) => redact(`password '${text}`),
  'redact in quotes': (text) => redact(`password; ${text}`),
  allowancesIn,
}

/** Every function that is given other text: messages of a server, names, values, configuration. */
const textReaders: Readonly<Record<string, (text: string) => unknown>> = {
  identifierOf: (text) => identifierOf({ kind: 'name', text: `U&"${text}"`, start: 0 }),
  stringText: (text) => stringText(`E'${text}'`),
  names: (text) => [identifier(text), literal(text), sendable(text), toRegclass(`"${text}"`)],
  durations: (text) => [millisecondsOf(text), durationOption().safeParse(text)],
  sizes: (text) => sizeOption().safeParse(text),
  versions: (text) => versionOption().safeParse(text),
  'an error of the server': (text) => {
    const error = databaseError(text)
    rememberMessage(error, text)
    const place = { statement: text, position: text.length }
    return [serverErrorOf(error), describeServerError({ code: '42601', message: text, ...place })]
  },
  'an error of another Knex': (text) => serverMessage(databaseError(text)),
  'an error of the system': (text) => [describeSystemError(new Error(text)), errorMessage(text)],
  'values of a copied row': (text) =>
    [...numberCodecs, ...timeCodecs, ...otherCodecs].map(({ write }) => write(text, new ByteWriter(16))),
  printable,
  'the name of a new migration': (text) => attempt(() => fileNameOf(text)),
  learnPassword: (text) => learnPassword(`postgres://user:${encodeURIComponent(text)}@host/${text}`),
}

/** What is given the text of a vector, to which brackets and lengths belong. */
const vectorReaders: Readonly<Record<string, (text: string) => unknown>> = {
  'a query vector': (text) => query(text, 'vector'),
  'a query sparsevec': (text) => query(text, 'sparsevec'),
  'a query bit': (text) => query(text, 'bit'),
}

function query(text: string, type: VectorType): unknown {
  const column = vectorColumn('documents', 'embedding', { type, dimensions: 3 })
  return attempt(() => queryVector(text, { column, type, metric: 'l2' }))
}

function attempt(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

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

/** Beside them, what values, names and configuration are made of. */
const textPieces = [
  ...pieces,
  'a, ',
  ' , ',
  '1,',
  '1e',
  '0',
  '1.',
  '+',
  '{',
  '1:1,',
  '\t',
  '\r',
  '\u001b[',
  '\u001b]8;;',
  '\u009b1;',
  '_',
  '-',
  ' - ',
  '@',
  '%41',
  'é',
  '\u{1f600}',
]

/** What a piece is repeated in: a text that never ends, and one that ends in what does not fit. */
const surroundings = [
  ['', ''],
  ['[', ''],
  ['[1', 'x]'],
  ['{', '}'],
  ['{1:1', '}/3x'],
] as const

const [HALF, WHOLE] = [100_000, 200_000]

// What is done in a few milliseconds cannot be compared.
const LEAST = 10

describe('reading hostile text', () => {
  test.each(Object.entries(sqlReaders))('takes time in proportion to its length: %s', (_name, read) => {
    expect(pieces.filter((piece) => isSlow(read, (length) => repeated(piece, length)))).toEqual([])
  })

  test.each(Object.entries(textReaders))('takes time in proportion to its length: %s', (_name, read) => {
    expect(textPieces.filter((piece) => isSlow(read, (length) => repeated(piece, length)))).toEqual([])
  })

  test.each(Object.entries(vectorReaders))('takes time in proportion to its length: %s', (_name, read) => {
    const slow = textPieces.flatMap((piece) =>
      surroundings
        .map(
          ([before, after]) =>
            (length: number) =>
              `${before}${repeated(piece, length)}${after}`,
        )
        .filter((textOf) => isSlow(read, textOf))
        .map((textOf) => textOf(2 * piece.length)),
    )
    expect(slow).toEqual([])
  })
})

function repeated(piece: string, length: number): string {
  return piece.repeat(length / piece.length)
}

/**
 * Whether twice the text costs more than three times as much. What is quadratic does at every length; the collection of
 * garbage, whose threads count too, does now and then: the best of several counts, and the next doubling has to agree.
 */
function isSlow(read: (text: string) => unknown, textOf: (length: number) => string): boolean {
  return isSteep(read, textOf(HALF), textOf(WHOLE)) && isSteep(read, textOf(WHOLE), textOf(2 * WHOLE))
}

function isSteep(read: (text: string) => unknown, half: string, whole: string): boolean {
  let ofWhole = spent(() => read(whole))
  if (ofWhole <= 3 * LEAST) return false
  let ofHalf = spent(() => read(half))
  for (let tries = 0; tries < 8 && ofWhole > 3 * Math.max(ofHalf, LEAST); tries++) {
    ofHalf = Math.min(
      ofHalf,
      spent(() => read(half)),
    )
    ofWhole = Math.min(
      ofWhole,
      spent(() => read(whole)),
    )
  }
  return ofWhole > 3 * Math.max(ofHalf, LEAST)
}

/** Milliseconds of processor time. */
function spent(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
