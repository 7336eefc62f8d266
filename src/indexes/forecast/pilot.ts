import { sqlStateOf } from '../../core/errors.ts'
import { metrics, type Metric } from '../../pgvector/index-methods.ts'
import { identifier, literal, qualified } from '../../core/sql.ts'
import { canReadProcessorTime, processorTimeSql } from '../look/processor-time.ts'
import { serverMessage } from '../../database/server-message.ts'
import type { Session } from '../../database/session.ts'
import type { IndexFacts, TableFacts } from '../look/facts.ts'
import {
  conditionSql,
  indexDefinition,
  indexedExpression,
  type IndexParameters,
  type VectorIndex,
} from '../vector-index.ts'

/** One build of the pilot. */
export interface PilotRun {
  readonly rows: number
  /** Of an IVFFlat index; 0 for others. */
  readonly lists: number
  readonly milliseconds: number
}

/** What the pilot is to build: the runs in order. */
export interface PilotPlan {
  readonly rows: number
  readonly runs: readonly Pick<PilotRun, 'rows' | 'lists'>[]
  /** Whether to measure how long one distance takes too. */
  readonly measuresDistance: boolean
}

/** What a pilot measured. */
export interface Pilot {
  readonly runs: readonly PilotRun[]
  /** The milliseconds for one distance; null if that was not measured. */
  readonly distance: number | null
  /** Whether the times are those of a processor, so that other sessions did not disturb them. */
  readonly usesProcessorTime: boolean
  /** Why the server ended it early; null if it did not. */
  readonly problem: string | null
  /** How long all of it took, with the sample. */
  readonly milliseconds: number
}

const TABLE = 'knex_pgvector_pilot'
const PLACE = 'knex_pgvector_place'
const VALUE = 'knex_pgvector_value'

const PAGE = 8192
const LOCK_TIMEOUT = 500

/**
 * Builds the index on a sample of the table's rows, in a temporary table, and rolls everything back. Returns the runs until
 * the time was over, or until the server refused one.
 */
export async function runPilot(
  session: Session,
  index: VectorIndex,
  { table, extension, rows }: Pick<IndexFacts, 'extension' | 'rows'> & { readonly table: TableFacts },
  plan: PilotPlan,
  limit: number,
): Promise<Pilot> {
  const started = performance.now()
  const runs: PilotRun[] = []
  let distance: number | null = null
  let problem: string | null = null
  const schema = extension?.schema ?? 'public'
  const usesProcessorTime = await canReadProcessorTime(session)
  const timeLeft = (): number => Math.floor(limit - (performance.now() - started))
  const work = async (trx: Session): Promise<void> => {
    const timed = stopwatch(trx, usesProcessorTime, timeLeft)
    await trx.send([...settings, timeout(timeLeft()), ...createSample(index, table, schema, rows, plan.rows)])
    const found = await trx.askAsCaller<number>(
      `select pg_catalog.count(*)::pg_catalog.int4 as state from pg_temp.${TABLE}`,
    )
    for (const run of plan.runs) {
      const size = Math.min(run.rows, found)
      if (timeLeft() < 1 || size === 0) return
      const milliseconds = await timed(`create index ${definition(index, schema, size, run.lists)}`)
      runs.push({ rows: size, lists: run.lists, milliseconds })
    }
    if (plan.measuresDistance && timeLeft() > 0) distance = await distanceTime(index, schema, found, timed)
  }
  try {
    await session.transaction(work, { rollBack: true })
  } catch (error) {
    // The forecast does without it. What the server refuses here concerns only the pilot: time, space, rights.
    if (sqlStateOf(error) === undefined) throw error
    problem = serverMessage(error)
  }
  return { runs, distance, problem, usesProcessorTime, milliseconds: performance.now() - started }
}

const settings = [
  `set local lock_timeout = ${LOCK_TIMEOUT}`,
  "set local maintenance_work_mem = '64MB'",
  "set local work_mem = '32MB'",
  'set local client_min_messages = error',
]

/** Sends a statement and returns its milliseconds, by the server's own clock. */
type Timed = (statement: string) => Promise<number>

// The message arrived at the one time, and its statement is done at the other.
const SINCE_MESSAGE = `select (extract(epoch from pg_catalog.clock_timestamp() operator(pg_catalog.-) pg_catalog.statement_timestamp())
    operator(pg_catalog.*) 1000)::pg_catalog.float8 as state`

function stopwatch(trx: Session, usesProcessorTime: boolean, timeLeft: () => number): Timed {
  const used = (): Promise<number> => trx.ask(`select ${processorTimeSql} as state`)
  return async (statement) => {
    const message = [timeout(timeLeft()), statement]
    if (!usesProcessorTime) return trx.sendAndAsk(message, SINCE_MESSAGE)
    const before = await used()
    await trx.send(message)
    return (await used()) - before
  }
}

function timeout(milliseconds: number): string {
  return `set local statement_timeout = ${Math.max(1, milliseconds)}`
}

/** Returns the share of the pages that holds so many rows, almost always: the number of sampled pages varies. */
function sampledPercent(pages: number, share: number): number {
  const wanted = pages * share
  return Math.min(100, (100 * (wanted + 4 * Math.sqrt(wanted) + 2)) / Math.max(1, pages))
}

// The values are those of the index, stored in the rows, so that comparing them reads nothing else.
function createSample(
  index: VectorIndex,
  { schema, name, heapBytes }: TableFacts,
  extensionSchema: string,
  rows: number,
  wanted: number,
): string[] {
  const column = identifier(index.column.name)
  const condition = conditionSql(index)
  const percent = sampledPercent(heapBytes / PAGE, wanted / Math.max(1, rows))
  const sample = `select ${indexedExpression(index, extensionSchema)} as ${VALUE},
      (pg_catalog.row_number() over ())::pg_catalog.int4 as ${PLACE}
    from (
      select ${column} from ${qualified(schema, name)} tablesample pg_catalog.system (${literal(String(percent))}::pg_catalog.float4)
      where ${column} is not null ${condition === null ? '' : `and ${condition}`} limit ${wanted}
    ) as sample`
  return [
    `create temporary table ${TABLE} on commit drop as ${sample} with no data`,
    `alter table pg_temp.${TABLE} alter column ${VALUE} set storage plain`,
    `insert into pg_temp.${TABLE} ${sample}`,
  ]
}

function definition(index: VectorIndex, extensionSchema: string, rows: number, lists: number): string {
  const parameters: IndexParameters = index.method === 'ivfflat' ? { lists } : index.parameters
  const column = { ...index.column, name: VALUE, schema: 'pg_temp', table: TABLE }
  const storage = { ...index.storage, expression: 'column' } as const
  const where = `${PLACE} operator(pg_catalog.<=) ${rows}`
  return indexDefinition({ ...index, column, storage, where }, extensionSchema, parameters)
}

const COMPARED = { rows: 1000, with: 100 } as const

// An IVFFlat index on the angle compares normalised vectors by their inner product.
const compared = {
  l2: 'l2',
  innerProduct: 'innerProduct',
  cosine: 'innerProduct',
  l1: 'l1',
  hamming: 'hamming',
  jaccard: 'jaccard',
} as const satisfies Record<Metric, Metric>

/** Returns the time of one distance: that of many, without the time of as many comparisons of numbers. */
async function distanceTime(
  { metric, storage }: VectorIndex,
  extensionSchema: string,
  found: number,
  timed: Timed,
): Promise<number> {
  const operator = metrics[compared[storage.type === 'bit' ? 'hamming' : metric]].operator
  const distances = `m.${VALUE} operator(${identifier(extensionSchema)}.${operator}) s.${VALUE}`
  const best = async (condition: string): Promise<number> => {
    const times = [await timed(comparing(condition)), await timed(comparing(condition))]
    return Math.min(...times)
  }
  const numbers = await best(`m.${PLACE} operator(pg_catalog.<) s.${PLACE}`)
  const all = await best(`(${distances}) operator(pg_catalog.=) '-1e300'::pg_catalog.float8`)
  const pairs = Math.min(found, COMPARED.rows) * Math.min(found, COMPARED.with)
  return Math.max(0, all - numbers) / pairs
}

function comparing(condition: string): string {
  return `with many as materialized (select * from pg_temp.${TABLE} limit ${COMPARED.rows}),
    few as materialized (select * from pg_temp.${TABLE} limit ${COMPARED.with})
    select pg_catalog.count(*) from few as s, many as m where ${condition}`
}
