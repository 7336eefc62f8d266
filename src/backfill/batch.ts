import { sqlStateOf } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import { identifier, literal, sendable } from '../core/sql.ts'
import { serverMessage } from '../database/server-message.ts'
import { sqlState } from '../database/sqlstate.ts'
import { binaryArray } from '../columns/binary-array.ts'
import type { KeyColumn } from '../embeddings/table-facts.ts'
import type { VectorTarget } from '../embeddings/target.ts'
import { typeSql } from '../columns/column.ts'
import { conditionSql } from '../indexes/vector-index.ts'

/** A row without a vector. */
export interface RowWithoutVector {
  /** The values of its key columns, as text. */
  readonly key: readonly string[]
  /**
   * The transaction that last wrote the row. A vector is valid only for the version of the row that it was computed
   * from.
   */
  readonly version: string
  /** The columns that the vector is computed from. */
  readonly row: Readonly<Record<string, unknown>>
}

/** A row with the vector computed from it. */
export interface RowWithVector extends Pick<RowWithoutVector, 'key' | 'version'> {
  /** In binary format. */
  readonly value: Buffer
}

/** Reads the next rows without a vector, in the order of their key. */
export async function readBatch(
  session: Session,
  target: VectorTarget,
  after: readonly string[] | null,
  limit: number,
): Promise<readonly RowWithoutVector[]> {
  const { from: table, alias, key, read } = target
  const keys = key.map(({ name }) => `${alias}.${identifier(name)}`)
  const from = after?.map((value, place) => `${literal(value)}::${sendable(key[place]?.type ?? '')}`)
  return session.askAsCaller<RowWithoutVector[]>(`select coalesce(pg_catalog.json_agg(
      pg_catalog.json_build_object('key', key, 'version', version, 'row', "row")), '[]') as state
    from (
      select pg_catalog.json_build_array(${keys.map((name) => `${name}::pg_catalog.text`).join(', ')}) as key,
        ${alias}.xmin::pg_catalog.text as version, (
          select pg_catalog.to_json(chosen)
          from (select ${read.map(({ name, as }) => `${alias}.${identifier(name)} as ${identifier(as)}`).join(', ')}) as chosen
        ) as "row"
      from ${table} as ${alias}
      where ${withoutVector(target)} ${from === undefined ? '' : `and ${isAfter(target, keys, from)}`}
      order by ${keys.join(', ')} limit ${limit}
    ) as batch`)
}

// Compares the key as one row if possible, because an index scan can then start at it.
function isAfter({ key }: VectorTarget, left: readonly string[], right: readonly string[]): string {
  const [first, ...others] = key.map(({ operators }) => operators)
  if (first !== undefined && others.every((each) => each === first)) {
    return `(${left.join(', ')}) operator(${identifier(first)}.>) (${right.join(', ')})`
  }
  const each = key.map((column, place) => {
    const isEqual = left
      .slice(0, place)
      .map((name, before) => `${name} ${operatorOf(key[before], '=')} ${right[before]}`)
    return [...isEqual, `${left[place]} ${operatorOf(column, '>')} ${right[place]}`].join(' and ')
  })
  return `(${each.join(' or ')})`
}

// A type of an extension has its operators in the extension's schema.
function operatorOf(column: KeyColumn | undefined, operator: '=' | '>'): string {
  return `operator(${identifier(column?.operators ?? 'pg_catalog')}.${operator})`
}

/** Returns how many rows have no vector, or null if counting would take the server too long. */
export async function countWithoutVector(session: Session, target: VectorTarget): Promise<number | null> {
  const { from: table, alias } = target
  return session
    .askAsCaller<number>(
      `select pg_catalog.to_json(pg_catalog.count(*)) as state from ${table} as ${alias} where ${withoutVector(target)}`,
    )
    .catch((error: unknown) => {
      if (sqlStateOf(error) === sqlState.queryCanceled) return null
      throw error
    })
}

/** Returns the condition that selects the rows to backfill. */
export function withoutVector(target: VectorTarget): string {
  const condition = conditionSql(target)
  const isEmpty = `${target.alias}.${identifier(target.column.name)} is null`
  return condition === null ? isEmpty : `${isEmpty} and ${condition}`
}

/**
 * Writes the vectors of rows in one statement, and returns how many it wrote.
 *
 * It skips a row that has changed since it was read, because the vector may no longer match. It also skips a row that
 * another session is changing: it waits for no lock, so it cannot deadlock.
 */
export async function writeBatch(
  session: Session,
  target: VectorTarget,
  rows: readonly RowWithVector[],
): Promise<number> {
  const { from: table, alias, key, column, extensionSchema } = target
  const name = identifier(column.name)
  const type = typeSql(column.type, column.dimensions, extensionSchema)
  const places = key.map(
    (each, place) => `(key operator(pg_catalog.->>) ${place})::${sendable(each.type)} as key_${place}`,
  )
  const isRow = (of: string): string =>
    key
      .map((each, place) => `${alias}.${identifier(each.name)} ${operatorOf(each, '=')} ${of}.key_${place}`)
      .join(' and ')
  try {
    return await session.askAsCaller<number>(
      `with made as (
        select ${places.join(', ')}, version, value
        from rows from (
          pg_catalog.json_to_recordset($1::pg_catalog.json) as (key pg_catalog.json, version pg_catalog.text),
          pg_catalog.unnest($2::${type}[])
        ) as made (key, version, value)
      ),
      given as (
        select made.* from ${table} as ${alias} join made on ${isRow('made')}
        where ${alias}.xmin::pg_catalog.text operator(pg_catalog.=) made.version and ${alias}.${name} is null
        for no key update of ${alias} skip locked
      ),
      changed as (update ${table} as ${alias} set ${name} = given.value from given where ${isRow('given')} returning 1)
      select pg_catalog.to_json(pg_catalog.count(*)) as state from changed`,
      [
        JSON.stringify(rows.map(({ key: row, version }) => ({ key: row, version }))),
        binaryArray(
          column,
          rows.map(({ value }) => value),
        ),
      ],
    )
  } catch (error) {
    if (isConflict(error)) return 0
    throw withoutStatement(error)
  }
}

const CONFLICTS = new Set<string | undefined>([
  sqlState.serializationFailure,
  sqlState.deadlockDetected,
  sqlState.lockNotAvailable,
])

// Another session was using the rows. They are read again later.
function isConflict(error: unknown): boolean {
  return CONFLICTS.has(sqlStateOf(error))
}

// Knex puts the whole statement in front of the server's message, which can be megabytes of vectors.
function withoutStatement(error: unknown): Error {
  return Object.assign(new Error(serverMessage(error)), error)
}
