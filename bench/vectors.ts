import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Knex } from 'knex'

import { onEmbedded, onServer, startServer, withDatabase } from './databases.ts'
import { copyVectors, ensurePgvector, toBinary, vectorColumn } from './library.ts'
import { measure, type Contender } from './measure.ts'
import type { Peak } from './million-rows.ts'
import { runProgram } from './processes.ts'
import { table, type Comparison } from './report.ts'

const ROUNDS = { warmUp: 1, counted: 7 }
const QUERY_ROUNDS = { warmUp: 30, counted: 100 }
const BATCH = 100
const CALLS = 20

// Inserts by text of what COPY loads in a moment take long.
const INSERTED = { rows: 1000, dimensions: 1536 }
const COPIED = { rows: 5000, dimensions: 384 }
const REPLAYED = { rows: 20_000, dimensions: 384 }
const MILLION = 1_000_000

const PSQL_SHARE = 0.7
const MOST_MEGABYTES = 150

interface Row {
  readonly id: number
  readonly embedding: number[]
}

interface Size {
  readonly rows: number
  readonly dimensions: number
}

async function main(): Promise<void> {
  const server = await startServer()
  try {
    if (process.argv.includes('million')) return await withDatabase(server, reportMillion)
    process.stdout.write(
      `Node ${process.version}; medians of one run; a ratio is the median of those of its rounds\n\n`,
    )
    process.stdout.write(table('embedded (PGlite, in memory)', await onEmbedded(compareInserts)))
    const comparisons = await withDatabase(server, (url) =>
      onServer(url, async (knex) => [
        ...(await compareInserts(knex)),
        ...(await compareCopy(knex)),
        ...(await compareWithPsql(knex, url)),
        ...(await compareQueries(knex, 96)),
        ...(await compareQueries(knex, 1536)),
      ]),
    )
    process.stdout.write(table(server.name, comparisons))
  } finally {
    await server.stop()
  }
}

async function compareInserts(knex: Knex): Promise<Comparison[]> {
  const { rows, contender } = await filled(knex, INSERTED)
  const column = vectorColumn('documents', 'embedding', { dimensions: INSERTED.dimensions })
  const times = await measure(
    {
      text: contender(() => insertAll(knex, rows, ({ embedding }) => JSON.stringify(embedding))),
      binary: contender(() => insertAll(knex, rows, ({ embedding }) => toBinary(column, embedding))),
    },
    ROUNDS,
  )
  return [
    {
      what: `inserts of ${BATCH} rows with toBinary, ${sizeText(INSERTED)}`,
      milliseconds: times.binary,
      against: 'inserts with JSON.stringify',
      baseline: times.text,
      target: { timesFaster: 6 },
    },
  ]
}

async function compareCopy(knex: Knex): Promise<Comparison[]> {
  const { rows, contender } = await filled(knex, COPIED)
  const times = await measure(
    {
      text: contender(() => insertAll(knex, rows, ({ embedding }) => JSON.stringify(embedding))),
      copy: contender(() => copyVectors<Row>(knex, 'documents', ['id', 'embedding'], rows)),
    },
    ROUNDS,
  )
  return [
    {
      what: `copyVectors, ${sizeText(COPIED)}`,
      milliseconds: times.copy,
      against: 'inserts with JSON.stringify',
      baseline: times.text,
      target: { timesFaster: 12 },
    },
  ]
}

async function compareWithPsql(knex: Knex, url: string): Promise<Comparison[]> {
  const { rows, contender } = await filled(knex, REPLAYED)
  const folder = await mkdtemp(join(tmpdir(), 'bench-'))
  try {
    const file = join(folder, 'documents.bin')
    await copyVectors<Row>(knex, 'documents', ['id', 'embedding'], rows)
    const replay = (direction: 'from' | 'to'): Promise<unknown> =>
      runProgram(
        'psql',
        ['-qXc', `\\copy documents (id, embedding) ${direction} '${file}' (format binary)`, url],
        folder,
        url,
      )
    await replay('to')
    const times = await measure(
      {
        psql: contender(() => replay('from')),
        copy: contender(() => copyVectors<Row>(knex, 'documents', ['id', 'embedding'], rows)),
      },
      ROUNDS,
    )
    return [
      {
        what: `copyVectors, ${sizeText(REPLAYED)}`,
        milliseconds: times.copy,
        against: 'psql, the same rows from a binary file',
        baseline: times.psql,
        target: { atMost: Math.round(100 / PSQL_SHARE) / 100 },
      },
    ]
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function compareQueries(knex: Knex, dimensions: number): Promise<Comparison[]> {
  const { rows } = await filled(knex, { rows: 1, dimensions })
  const column = vectorColumn('documents', 'embedding', { dimensions })
  await insertAll(knex, rows, ({ embedding }) => toBinary(column, embedding))
  const query = numbers(dimensions)
  const ask = (binding: () => string | Buffer): Contender => ({
    run: async () => {
      for (let calls = 0; calls < CALLS; calls++) {
        await knex.raw('select embedding <=> ? as distance from documents', [binding()])
      }
    },
  })
  const times = await measure(
    { text: ask(() => JSON.stringify(query)), binary: ask(() => toBinary(column, query)) },
    QUERY_ROUNDS,
  )
  return [
    {
      what: `a distance with toBinary, ${dimensions} dimensions`,
      milliseconds: times.binary.map(ofOne),
      against: 'with JSON.stringify',
      baseline: times.text.map(ofOne),
      target: dimensions < 1000 ? { atMost: 1 } : { timesFaster: 1 },
    },
  ]
}

function ofOne(milliseconds: number): number {
  return milliseconds / CALLS
}

/** What a process uses that loads a million rows, and nothing else. */
async function reportMillion(url: string): Promise<void> {
  await onServer(url, (knex) => filled(knex, { rows: 0, dimensions: COPIED.dimensions }))
  const child = fork(join(__dirname, 'million-rows.ts'), [String(MILLION), String(COPIED.dimensions)], {
    execArgv: ['-r', 'sucrase/register/ts'],
    env: { ...process.env, DATABASE_URL: url },
  })
  const [{ megabytesBefore, megabytes, seconds }] = (await once(child, 'message')) as [Peak]
  const verdict = megabytes <= MOST_MEGABYTES ? 'met' : 'missed'
  process.stdout.write(
    `copyVectors, ${sizeText({ rows: MILLION, dimensions: COPIED.dimensions })}: ${seconds.toFixed(1)} s, ` +
      `at most ${megabytes} MB in Node (${megabytesBefore} MB before); target ${MOST_MEGABYTES} MB ${verdict}\n`,
  )
}

/** A new table of that size, and the rows for it. */
async function filled(
  knex: Knex,
  { rows, dimensions }: Size,
): Promise<{ readonly rows: Row[]; readonly contender: (run: () => Promise<unknown>) => Contender }> {
  await ensurePgvector(knex, { logger: false, log: false })
  await knex.raw(`drop table if exists documents;
    create unlogged table documents (id int, embedding vector(${dimensions}))`)
  const prepare = (): Promise<unknown> => knex.raw('truncate documents')
  return {
    rows: Array.from({ length: rows }, (_, id) => ({ id, embedding: numbers(dimensions) })),
    contender: (runs) => ({ prepare, run: runs }),
  }
}

function numbers(dimensions: number): number[] {
  return Array.from({ length: dimensions }, () => Math.random() - 0.5)
}

async function insertAll(knex: Knex, rows: readonly Row[], value: (row: Row) => string | Buffer): Promise<void> {
  for (let from = 0; from < rows.length; from += BATCH) {
    await knex('documents').insert(rows.slice(from, from + BATCH).map((row) => ({ id: row.id, embedding: value(row) })))
  }
}

function sizeText({ rows, dimensions }: Size): string {
  return `${rows.toLocaleString('en')} × ${dimensions}`
}

void main()
