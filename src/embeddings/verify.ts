import { countKind, flagKind, optionsParser, signalKind } from '../core/option-kinds.ts'
import { identifier } from '../core/sql.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { assertEmbedding, type Embedding } from './embedding.ts'
import { isAfterKey, isSameKey, keyAsJson, keyColumns, keyNames, type Key } from './key-sql.ts'
import { sourceHashSql } from './source-hash.ts'
import { assertKeptInStep, readInStepState, type InStepState } from './state.ts'

/** Options of {@link verifyInStep}. */
export interface VerifyInStepOptions {
  /** Mark the rows that are found, so that a worker computes their vectors again; default false. */
  readonly mark?: boolean | undefined
  /** The number of rows that are read in one query; default 1000. */
  readonly batchSize?: number | undefined
  /** Stops after the rows that are being read. */
  readonly signal?: AbortSignal | undefined
}

/** The result of {@link verifyInStep}. */
export interface VerifyInStepResult {
  /** Rows that have a vector. */
  readonly checked: number
  /** Rows whose vector was made of something else, or by another model, although nothing marks them as stale. */
  readonly wrong: number
  /** The keys of the first of them. */
  readonly keys: readonly (readonly string[])[]
  /** Rows that are marked as stale, or were given up. */
  readonly stale: number
  /** Rows whose vector no worker has written, so that it is not known what it was made of. */
  readonly unknown: number
  /** Whether all rows were read. */
  readonly isComplete: boolean
}

const parseVerifyOptions = optionsParser({ mark: flagKind, batchSize: countKind, signal: signalKind })

const USUAL_BATCH = 1000
const MOST_KEYS = 10

/** What one batch of rows showed. */
interface Batch {
  readonly rows: number
  readonly last: Key | null
  readonly checked: number
  readonly stale: number
  readonly unknown: number
  readonly wrong: readonly Key[]
}

/**
 * Compares what each row says with the hash that the worker wrote with its vector. It finds what no trigger can see:
 * changes made with `session_replication_role = replica`, by another trigger, or while `KeepInStep` was not set up; and
 * vectors of another model.
 *
 * @example const { wrong } = await verifyInStep(knex, articles, { mark: true })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, COLUMN_DIFFERS, NOT_KEPT_IN_STEP,
 * IN_STEP_NOT_POSSIBLE or TABLE_NOT_TRUSTED.
 */
export async function verifyInStep(
  db: Database,
  embedding: Embedding,
  options: VerifyInStepOptions = {},
): Promise<VerifyInStepResult> {
  assertEmbedding(embedding)
  const { mark = false, batchSize = USUAL_BATCH, signal } = parseVerifyOptions(options)
  const session = sessionOf(db)
  const state = await readInStepState(session, embedding)
  assertKeptInStep(state)
  const counts = { checked: 0, stale: 0, unknown: 0, wrong: 0 }
  const keys: Key[] = []
  for (let after: Key | null = null; ;) {
    if (signal?.aborted === true) return { ...counts, keys, isComplete: false }
    const batch: Batch = await session.askAsCaller<Batch>(verifySql(state, after, batchSize, mark))
    counts.checked += batch.checked
    counts.stale += batch.stale
    counts.unknown += batch.unknown
    counts.wrong += batch.wrong.length
    keys.push(...batch.wrong.slice(0, MOST_KEYS - keys.length))
    if (batch.rows < batchSize) return { ...counts, keys, isComplete: true }
    after = batch.last
  }
}

// The row and its marks are read in one snapshot: an edit that is committed meanwhile shows in both or in neither.
function verifySql({ target, tables, names }: InStepState, after: Key | null, limit: number, mark: boolean): string {
  const { from, alias, key, column } = target
  const columns = keyColumns(key, alias)
  const listed = keyNames(key).join(', ')
  const isIn = (table: string, name: string): string =>
    `exists (select from ${table} as ${name} where ${isSameKey(key, keyNames(key, name), keyNames(key, 'found'))}`
  return `with found as (
      select ${columns.map((name, place) => `${name} as key_${place + 1}`).join(', ')},
        ${alias}.${identifier(column.name)} is not null as has_vector, ${alias}.${identifier(names.hash)} as hash,
        ${sourceHashSql(target)} as source
      from ${from} as ${alias} ${after === null ? '' : `where ${isAfterKey(key, columns, after)}`}
      order by ${columns.join(', ')} limit ${limit}
    ),
    judged as (
      select ${listed}, hash, hash operator(pg_catalog.<>) source as differs,
        ${isIn(tables.marks, 'm')}) or ${isIn(tables.claims, 'c')} and c.due_at operator(pg_catalog.=) 'infinity') as is_stale
      from found where has_vector
    ),
    wrong as (select ${listed} from judged where differs and not is_stale)
    ${mark ? `, marked as (insert into ${tables.marks} (${listed}) select ${listed} from wrong order by ${listed})` : ''}
    select pg_catalog.json_build_object(
      'rows', (select pg_catalog.count(*) from found),
      'last', (select ${keyAsJson(keyNames(key))} from found order by ${keyNames(key)
        .map((name) => `${name} desc`)
        .join(', ')} limit 1),
      'checked', (select pg_catalog.count(*) from judged),
      'stale', (select pg_catalog.count(*) from judged where is_stale),
      'unknown', (select pg_catalog.count(*) from judged where hash is null and not is_stale),
      'wrong', (select coalesce(pg_catalog.json_agg(${keyAsJson(keyNames(key))}), '[]') from wrong)
    ) as state`
}
