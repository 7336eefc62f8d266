import { identifier } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import type { Bounded } from '../search/recall/exact.ts'
import { recallMeter } from '../search/recall/meter.ts'
import { isComparable, readMostPages, type SampledQuery } from '../search/recall/sample.ts'
import type { ChangeState } from './change-state.ts'
import type { Comparison, MeasuredColumn } from './comparison.ts'
import { pairOf, type ModelPair } from './pair.ts'

const QUERIES = 50
const LIMIT = 10
// How long a statement that reads a part of the table should take, in milliseconds.
const AIM = 200

/**
 * Measures how well both columns are searched: for the same rows, the share of the true nearest rows that the index finds,
 * and the time of a search. The vectors of the rows themselves are the queries, so no model is called.
 *
 * It finds the true nearest rows as `measureRecall` does, but measures searches without options and also takes a partitioned table.
 */
export async function compare(session: Session, state: ChangeState, signal?: AbortSignal): Promise<Comparison> {
  const { source, target, sourcePair, targetPair, registry, table } = state
  const pairs = [
    pairOf(source.column, sourcePair, registry.facts),
    pairOf(target.column, targetPair, registry.facts),
  ] as const
  const samples = (await readSamples(session, state)).filter(({ vectors }) =>
    pairs.every((pair, place) => isComparableTo(pair, vectors[place] ?? '')),
  )
  const pages = await readMostPages(session, table.oid)
  const measured: MeasuredColumn[] = []
  for (const [place, pair] of pairs.entries()) {
    const queries = samples.map(({ self, vectors }) => ({ self, vector: vectors[place] ?? '' }))
    measured.push(pair === null ? UNKNOWN : await measure(session, state, pair, queries, pages, signal))
  }
  const [first = UNKNOWN, second = UNKNOWN] = measured
  return { queries: samples.length, limit: LIMIT, source: first, target: second }
}

function isComparableTo(pair: ModelPair | null, vector: string): boolean {
  return pair !== null && isComparable(pair.index, vector)
}

const UNKNOWN: MeasuredColumn = { recall: null, milliseconds: null }

/** Where a row is, and both of its vectors as texts. */
interface Sample extends Pick<SampledQuery, 'self'> {
  readonly vectors: readonly [string, string]
}

async function readSamples(session: Session, { source, target, inStep }: ChangeState): Promise<readonly Sample[]> {
  if (inStep === null) return []
  const { from, alias } = inStep.target
  const columns = [source, target].map(({ column }) => `${alias}.${identifier(column.name)}`)
  // The place names a row only within one partition.
  const self = inStep.found.kind === 'partitioned' ? 'null' : `${alias}.ctid`
  const sample = (
    method: string,
  ): string => `select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('self', self, 'vectors', vectors)), '[]') as state
    from (select ${self}::pg_catalog.text as self,
        pg_catalog.json_build_array(${columns.map((each) => `${each}::pg_catalog.text`).join(', ')}) as vectors
      from ${from} as ${alias} ${method} where ${columns.map((each) => `${each} is not null`).join(' and ')}
      order by pg_catalog.random() limit ${QUERIES}) as sampled`
  // A share of the pages of a large table, so that not all of it is read.
  const share =
    await session.ask<number>(`select to_json(least(100, 100.0 * 50 * ${QUERIES} / greatest(1, reltuples))) as state
    from pg_catalog.pg_class where oid = ${inStep.found.facts.table?.oid ?? 0}`)
  const rows = await session.askAsCaller<readonly Sample[]>(
    sample(share >= 100 ? '' : `tablesample pg_catalog.system (${share})`),
  )
  return rows.length >= QUERIES || share >= 100 ? rows : session.askAsCaller(sample(''))
}

async function measure(
  session: Session,
  { inStep }: ChangeState,
  { index }: ModelPair,
  queries: readonly SampledQuery[],
  pages: number,
  signal: AbortSignal | undefined,
): Promise<MeasuredColumn> {
  if (inStep === null || queries.length === 0) return UNKNOWN
  const bounded: Bounded = (work) => session.transaction(work, { readOnly: true })
  const schema = inStep.target.extensionSchema
  const meter = await recallMeter(bounded, index, queries, { k: LIMIT, pages, schema, aim: AIM, signal })
  const { recall, p50 } = await meter({})
  return { recall: Math.round(recall * 1000) / 1000, milliseconds: Math.round(p50 * 100) / 100 }
}
