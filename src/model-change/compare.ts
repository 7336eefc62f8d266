import { typeSql } from '../columns/column.ts'
import { identifier, literal } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { metrics } from '../pgvector/index-methods.ts'
import { nearestRows } from '../search/nearest-rows.ts'
import type { ChangeState } from './change-state.ts'
import type { Comparison, MeasuredColumn } from './comparison.ts'
import { pairOf, type ModelPair } from './pair.ts'

const QUERIES = 50
const LIMIT = 10

/**
 * Measures how well both columns are searched: for the same rows, the share of the true nearest rows that the index finds,
 * and the time of a search. The vectors of the rows themselves are the queries, so no model is called.
 */
export async function compare(session: Session, state: ChangeState): Promise<Comparison> {
  const { source, target, sourcePair, targetPair, registry } = state
  const pairs = [
    pairOf(source.column, sourcePair, registry.facts),
    pairOf(target.column, targetPair, registry.facts),
  ] as const
  const samples = await readSamples(session, state)
  const measured: MeasuredColumn[] = []
  for (const [place, pair] of pairs.entries()) {
    const vectors = samples.map((each) => each[place] ?? '')
    measured.push(pair === null ? { recall: null, milliseconds: null } : await measure(session, state, pair, vectors))
  }
  const [first, second] = measured as [MeasuredColumn, MeasuredColumn]
  return { queries: samples.length, limit: LIMIT, source: first, target: second }
}

// Both vectors of random rows, as texts.
async function readSamples(
  session: Session,
  { source, target, inStep }: ChangeState,
): Promise<readonly (readonly [string, string])[]> {
  if (inStep === null) return []
  const { from, alias } = inStep.target
  const columns = [source, target].map(({ column }) => `${alias}.${identifier(column.name)}`)
  const sample = (
    method: string,
  ): string => `select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(${columns.map((each) => `${each}::pg_catalog.text`).join(', ')})), '[]') as state
    from (select ${columns.join(', ')} from ${from} as ${alias} ${method} where ${columns.map((each) => `${each} is not null`).join(' and ')}
      order by pg_catalog.random() limit ${QUERIES}) as ${alias}`
  // A share of the pages of a large table, so that not all of it is read.
  const share =
    await session.ask<number>(`select to_json(least(100, 100.0 * 50 * ${QUERIES} / greatest(1, reltuples))) as state
    from pg_catalog.pg_class where oid = ${inStep.found.facts.table?.oid ?? 0}`)
  const rows = await session.askAsCaller<readonly (readonly [string, string])[]>(
    sample(share >= 100 ? '' : `tablesample pg_catalog.system (${share})`),
  )
  return rows.length >= QUERIES || share >= 100 ? rows : session.askAsCaller(sample(''))
}

async function measure(
  session: Session,
  { inStep }: ChangeState,
  { index, column, metric }: ModelPair,
  vectors: readonly string[],
): Promise<MeasuredColumn> {
  if (inStep === null || vectors.length === 0) return { recall: null, milliseconds: null }
  const { from, alias, extensionSchema } = inStep.target
  const type = typeSql(column.type, column.dimensions, extensionSchema)
  const operator = `operator(${identifier(extensionSchema)}.${metrics[metric].operator})`
  const times: number[] = []
  let hits = 0
  let most = 0
  for (const vector of vectors) {
    const search = (): Promise<{ readonly rows: readonly { readonly distance: number }[] }> =>
      nearestRows(session.knex, index, vector, { limit: LIMIT + 1, columns: [], schema: extensionSchema })
    // The first search of a vector reads pages into memory that the other column's searches would not have to read.
    await search()
    const started = performance.now()
    const { rows } = await search()
    times.push(performance.now() - started)
    const exact = await session.askAsCaller<
      readonly number[]
    >(`select coalesce(pg_catalog.json_agg(distance), '[]') as state from (
      select (${alias}.${identifier(column.name)} ${operator} ${literal(vector)}::${type}) operator(pg_catalog.+) 0 as distance
      from ${from} as ${alias} where ${alias}.${identifier(column.name)} is not null order by 1 limit ${LIMIT + 1}) as nearest`)
    // The row itself is the first of both.
    const farthest = (exact.at(-1) ?? 0) + TOLERANCE
    hits += rows.filter(({ distance }) => distance <= farthest).length - 1
    most += exact.length - 1
  }
  const sorted = times.toSorted((left, right) => left - right)
  const milliseconds = sorted[Math.floor(sorted.length / 2)] ?? null
  return {
    recall: most === 0 ? null : Math.round((Math.max(0, hits) / most) * 1000) / 1000,
    milliseconds: milliseconds === null ? null : Math.round(milliseconds * 100) / 100,
  }
}

const TOLERANCE = 1e-6
