import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'

/** A Knex instance or a transaction of one. */
export type Database = Knex

// Every query of ours answers with one row and one json column of this name, so that a caller's postProcessResponse,
// which may rename columns, has nothing to rename.
interface RawResult {
  readonly rows?: readonly { readonly state: unknown }[]
}

/**
 * Marks our queries in Knex's events, so that a plan can leave out what only asks. A registered symbol: a migration may
 * use another copy of this package.
 */
export const ASKS = Symbol.for('knex-pgvector.asks')

const asking = { [ASKS]: true } as const

/** What the json of our queries can be: never a text, so that a text is json that nobody has parsed. */
type Answer = object | number | boolean | null

/** Sends a query in one round trip and returns the `state` column of its only row. A text is for {@link askText}. */
export async function ask<State extends Answer>(
  db: Database,
  query: string,
  bindings: readonly string[] = [],
): Promise<State> {
  return stateOf(await db.raw<RawResult>(query, bindings).queryContext(asking), db) as State
}

/** Sends a query whose `state` is text, and returns that; undefined where it has no row. */
export async function askText(db: Database, query: string): Promise<string | undefined> {
  const { rows } = await db.raw<{ readonly rows?: readonly { readonly state: string }[] }>(query).queryContext(asking)
  return rows?.[0]?.state
}

/** Sends several statements in one round trip; returns the `state` column of each, undefined where it has none. */
export async function askEach(db: Database, statements: readonly string[]): Promise<unknown[]> {
  const results = await db.raw<readonly RawResult[]>(statements.join(';\n')).queryContext(asking)
  return results.map((result) => (result.rows?.length === 1 ? stateOf(result, db) : undefined))
}

/** Refuses a Knex instance of another database before anything is sent to it. */
export function assertPostgres(db: Database): void {
  if (dialectOf(db) !== 'postgresql') throw notPostgres(db)
}

function stateOf(result: RawResult, db: Database): unknown {
  const state = result.rows?.[0]?.state
  if (state === undefined) throw notPostgres(db)
  // A caller may have told pg to leave json as text; pg itself has parsed it.
  return typeof state === 'string' ? JSON.parse(state) : state
}

function notPostgres(db: Database): PgvectorMigrationError {
  return new PgvectorMigrationError('UNSUPPORTED_DATABASE', {
    database: `something that Knex reaches with its ${dialectOf(db) ?? 'unknown'} client`,
  })
}

// JavaScript callers pass anything, so nothing is taken for granted here.
function dialectOf(db: Database | null | undefined): string | undefined {
  const dialect: unknown = db?.client?.dialect
  return typeof dialect === 'string' ? dialect : undefined
}

/** The processes of the server that serve the connections of a pool, as a connection was told; `used`: just now. */
export function processesOf(db: Database, which: 'all' | 'used' = 'all'): number[] {
  const { pool } = db.client as { readonly pool?: Readonly<Record<'used' | 'free', readonly Pooled[]>> }
  const connections = which === 'used' ? pool?.used : [...(pool?.used ?? []), ...(pool?.free ?? [])]
  return (connections ?? []).flatMap(({ resource }) => resource.processID ?? [])
}

// What Knex's pool has and its types do not tell.
interface Pooled {
  readonly resource: { readonly processID?: number | null }
}

/** Sends statements whose answers do not matter, in one round trip. */
export async function send(db: Database, statements: string): Promise<void> {
  await db.raw(statements)
}
