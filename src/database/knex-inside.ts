import type { Knex } from 'knex'

/** What node-postgres, or PGlite's adapter, answers to one statement. */
export interface QueryResult {
  readonly command?: string
  readonly rowCount: number | null
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly fields?: readonly { readonly name: string; readonly dataTypeID: number }[]
}

/** A connection of node-postgres, or of PGlite's adapter, as far as it is used here. */
export interface Connection {
  /** The backend PID that the other end named at the start; a pooler names a number of its own. */
  readonly processID?: number | null
  on?(event: string, listener: (...args: never[]) => void): void
  removeListener?(event: string, listener: (...args: never[]) => void): void
  end?(): Promise<void> | void
  /** Whether it can take a query: false while an answer is awaited. */
  readonly readyForQuery?: boolean
  /** The protocol's side of a connection of node-postgres, with its messages and its socket. */
  readonly connection?: {
    on?(event: string, listener: (message: never) => void): void
    removeListener?(event: string, listener: (message: never) => void): void
    readonly stream?: { destroy?(): void; readonly bytesRead?: number; readonly bytesWritten?: number }
  }
}

/** The parts of Knex's client that its types do not declare. They are the same in Knex 3.0.1 to 3.3. */
export interface KnexClient {
  readonly dialect?: unknown
  readonly driverName?: unknown
  readonly config: Knex.Config
  /** What it connects to, as far as that is known before it has connected. */
  readonly connectionSettings?: { readonly host?: string; readonly port?: number | string }
  /** PostgreSQL's version, as Knex asked for it when it connected first. */
  readonly version?: string
  readonly pool?: Readonly<Record<'used' | 'free', readonly { readonly resource: Connection }[]>>
  acquireConnection(): Promise<Connection>
  releaseConnection(connection: Connection): Promise<void>
  _query(
    connection: Connection,
    query: { readonly sql: string; readonly bindings?: readonly unknown[] },
  ): Promise<{ readonly response: QueryResult | readonly QueryResult[] }>
  emit(event: string, ...args: readonly unknown[]): boolean
  on(event: string, listener: (...args: readonly unknown[]) => void): unknown
  removeAllListeners(): unknown
}

/** The client of a Knex instance or transaction. */
export function clientOf(knex: Knex): KnexClient {
  return knex.client as KnexClient
}

// Knex's and its pool's own defaults.
const ACQUIRE_MILLISECONDS = 60_000
const CREATE_MILLISECONDS = 30_000

/** After how many milliseconds Knex gives up a connection that is not ready. */
export function connectDeadline({ config: { acquireConnectionTimeout, pool = {} } }: KnexClient): number {
  const { acquireTimeoutMillis, createTimeoutMillis = CREATE_MILLISECONDS } = pool
  const given = [acquireConnectionTimeout, acquireTimeoutMillis].filter((each) => each !== undefined)
  return Math.min(createTimeoutMillis, ...(given.length === 0 ? [ACQUIRE_MILLISECONDS] : given))
}

/** The connections of a pool that are lent out. */
export function busyConnectionsOf(knex: Knex): readonly Connection[] {
  return (clientOf(knex).pool?.used ?? []).map(({ resource }) => resource)
}

/** The same object for a Knex instance and its transactions, as a key for what is known of their database. */
export function identityOf(knex: Knex): object {
  // What is no Knex instance has no client, and is refused where a session is made.
  return (clientOf(knex) as KnexClient | undefined)?.config ?? knex
}

/** Closes a connection of a pool at once: its statement fails, and the server frees what its session holds. */
export function hangUp(connection: Connection, reason: unknown): void {
  discard(connection, reason)
  const ended = connection.end?.()
  if (ended instanceof Promise) ended.catch(() => undefined)
  // The other end may never answer a farewell.
  connection.connection?.stream?.destroy?.()
}

/**
 * What stands for the answer that a connection waits for; it changes with every byte that comes or goes. Null where none is
 * awaited, undefined where that is not known.
 */
export function pendingAnswer({ readyForQuery, connection }: Connection): string | null | undefined {
  const { bytesRead, bytesWritten } = connection?.stream ?? {}
  if (readyForQuery === undefined || bytesRead === undefined) return undefined
  return readyForQuery ? null : `${bytesRead} ${bytesWritten}`
}

/** Marks a connection so that Knex's pool closes it instead of lending it out again. */
export function discard(connection: Connection, reason: unknown): void {
  Reflect.set(connection, DISPOSED, reason)
}

/** Whether a connection is so marked; Knex marks those that were lost. */
export function isDiscarded(connection: Connection): boolean {
  return Reflect.has(connection, DISPOSED)
}

/** Why a connection was so marked; undefined where it was not. */
export function discardedFor(connection: Connection): unknown {
  return Reflect.get(connection, DISPOSED)
}

const DISPOSED = '__knex__disposed'
