import { readFile } from 'node:fs/promises'

import { PgvectorMigrationError } from '../../core/errors.ts'
import type { VectorIndex } from '../../indexes/vector-index.ts'
import { measureRecall, type MeasuredRecall, type RecallPoint } from '../../search/recall/measure-recall.ts'
import type { Context } from '../context.ts'
import { declaredVectors } from '../declared-vectors.ts'
import { exitCode } from '../exit-code.ts'
import { yellow } from '../output/colour.ts'
import { table } from '../output/table.ts'
import { withSignals } from '../run-options.ts'

interface Flags {
  readonly declared: string
  readonly k?: number
  readonly target: number
  readonly sample?: number
  readonly queries?: string
}

/** Measures how many of the true nearest neighbours an index finds. */
export async function run({ knex, print }: Context, flags: Flags, name: string): Promise<number> {
  const { declared, k, target, sample } = flags
  const index = await declaredIndex(declared, name)
  const queries = flags.queries === undefined ? undefined : await queriesIn(flags.queries)
  const measured = await withSignals((signal) => measureRecall(knex, index, { k, target, sample, queries, signal }))
  print.line(describe(index, measured, target))
  for (const warning of measured.warnings) print.line(`${yellow('⚠')} ${warning}`)
  print.document({ index: name, target, ...measured })
  return outcomes[measured.verdict].code
}

const outcomes = {
  reached: { code: exitCode.done, text: 'The target is reached' },
  missed: { code: exitCode.found, text: 'The target is missed, even with the largest setting' },
  undecided: { code: exitCode.undecided, text: 'Too few queries to decide: measure a larger --sample' },
} as const satisfies Record<MeasuredRecall['verdict'], { readonly code: number; readonly text: string }>

function describe(
  index: VectorIndex,
  { points, smallest, verdict, roundTripMs }: MeasuredRecall,
  target: number,
): string[] {
  const head = [
    index.method === 'hnsw' ? 'efSearch' : 'probes',
    'Recall',
    '95 % interval',
    'Median',
    '95th percentile',
    '',
  ]
  const mark = (point: RecallPoint): string => (point.setting === smallest ? `← smallest that reaches ${target}` : '')
  const rows = points.map((point) => [
    String(point.setting),
    point.recall.toFixed(3),
    `${point.low.toFixed(3)}–${point.high.toFixed(3)}`,
    milliseconds(point.p50),
    milliseconds(point.p95),
    mark(point),
  ])
  const trip = `Times contain the round trip to the server, ${milliseconds(roundTripMs)}.`
  return [...table(head, rows), '', `${outcomes[verdict].text}. ${trip}`]
}

function milliseconds(time: number): string {
  return `${time.toFixed(time < 10 ? 1 : 0)} ms`
}

async function declaredIndex(path: string, name: string): Promise<VectorIndex> {
  const { indexes } = await declaredVectors(path)
  const found = indexes.find((index) => index.name === name)
  if (found !== undefined) return found
  throw refused(`index: declared are ${indexes.map((index) => index.name).join(', ') || 'none'}, not ${name}`)
}

/** Reads vectors from a file: a JSON array of them, or one on each line. */
async function queriesIn(path: string): Promise<number[][]> {
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    throw refused(`--queries: cannot be read (${error instanceof Error ? error.message : String(error)})`)
  })
  try {
    const parsed = JSON.parse(content) as number[] | number[][]
    return isVector(parsed) ? [parsed] : parsed
  } catch {
    return content.split('\n').flatMap((line, place) => (line.trim() === '' ? [] : [vectorIn(line, place + 1)]))
  }
}

function isVector(value: readonly unknown[]): value is number[] {
  return Array.isArray(value) && typeof value[0] === 'number'
}

function vectorIn(line: string, number: number): number[] {
  try {
    return JSON.parse(line) as number[]
  } catch {
    throw refused(`--queries: line ${number} is not a JSON array of numbers`)
  }
}

function refused(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
}
