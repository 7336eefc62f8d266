import type { Knex } from 'knex'

/** The answer of node-postgres, or of PGlite's adapter, to one statement. */
export interface QueryResult {
  readonly command?: string
  readonly rowCount: number | null
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly fields?: readonly { readonly name: string; readonly dataTypeID: number }[]
}

/** A connection of node-postgres, or of PGlite's adapter, as far as it is used here. */
export interface Connection {
  /** The backend PID that the other side reported at the start. A pooler reports a number of its own. */
  readonly processID?: number | null
  on?(event: string, listener: (...args: never[]) => void): void
  removeListener?(event: string, listener: (...args: never[]) => void): void
  end?(): Promise<void> | void
  /** Sends a query that handles its own answers, such as a COPY. */
  query?(submittable: object): unknown
  /** Whether it can send a query; false while an answer is pending. */
  readonly readyForQuery?: boolean
  /** The protocol layer of a node-postgres connection, with its messages and its socket. */
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
  /** The connection target, as far as it is known before connecting. */
  readonly connectionSettings?: { readonly host?: string; readonly port?: number | string }
  /** PostgreSQL's version, as Knex read it when it first connected. */
  readonly version?: string
  readonly pool?: Readonly<Record<'used' | 'free', readonly { readonly resource: Connection }[]>>
  acquireConnection(): Promise<Connection>
  releaseConnection(connection: Connection): Promise<void>
  /** Opens a connection for the pool; only where the client connects itself. */
  acquireRawConnection?(): Promise<Connection>
  destroyRawConnection?(connection: Connection): Promise<void>
  /** Called for every new connection. */
  setSchemaSearchPath?(connection: Connection): Promise<unknown>
  _query(
    connection: Connection,
    query: { readonly sql: string; readonly bindings?: readonly unknown[] },
  ): Promise<{ readonly response: QueryResult | readonly QueryResult[] }>
  emit(event: string, ...args: readonly unknown[]): boolean
  on(event: string, listener: (...args: readonly unknown[]) => void): unknown
  removeAllListeners(): unknown
}

/** Returns the client of a Knex instance or transaction. */
export function clientOf(knex: Knex): KnexClient {
  return knex.client as KnexClient
}

// The defaults of Knex and of its pool.
const ACQUIRE_MILLISECONDS = 60_000
const CREATE_MILLISECONDS = 30_000

/** Returns after how many milliseconds Knex gives up a connection that is not ready. */
export function connectDeadline({ config: { acquireConnectionTimeout, pool = {} } }: KnexClient): number {
  const { acquireTimeoutMillis, createTimeoutMillis = CREATE_MILLISECONDS } = pool
  const given = [acquireConnectionTimeout, acquireTimeoutMillis].filter((each) => each !== undefined)
  return Math.min(createTimeoutMillis, ...(given.length === 0 ? [ACQUIRE_MILLISECONDS] : given))
}

/** Returns the connections of a pool that are in use. */
export function busyConnectionsOf(knex: Knex): readonly Connection[] {
  return (clientOf(knex).pool?.used ?? []).map(({ resource }) => resource)
}

/** Returns the same object for a Knex instance and its transactions, as a key for facts about their database. */
export function identityOf(knex: Knex): object {
  // A value that is not a Knex instance has no client. It is refused when a session is created.
  return (clientOf(knex) as KnexClient | undefined)?.config ?? knex
}

/** Closes a connection of a pool at once. Its statement fails, and the server releases what its session holds. */
export function hangUp(connection: Connection, reason: unknown): void {
  discard(connection, reason)
  const ended = connection.end?.()
  if (ended instanceof Promise) ended.catch(() => undefined)
  // The other side may never answer a regular close.
  connection.connection?.stream?.destroy?.()
}

/**
 * Returns a value that identifies the pending answer of a connection, and changes with every byte sent or received.
 * Null if no answer is pending, undefined if that is unknown.
 */
export function pendingAnswer({ readyForQuery, connection }: Connection): string | null | undefined {
  const { bytesRead, bytesWritten } = connection?.stream ?? {}
  if (readyForQuery === undefined || bytesRead === undefined) return undefined
  return readyForQuery ? null : `${bytesRead} ${bytesWritten}`
}

/** Returns the message whose answer a connection of node-postgres waits for; null if it is not known. */
export function statementUnderway(connection: Connection): string | null {
  const text = activeQuery(connection)?.text
  return typeof text === 'string' ? text : null
}

/** Whether the application sends or fetches the rows of the active query in parts, as a cursor or COPY does. */
export function isStreaming(connection: Connection): boolean {
  const query = activeQuery(connection)
  return typeof query?.read === 'function' || typeof query?.write === 'function'
}

interface ActiveQuery {
  readonly text?: unknown
  readonly read?: unknown
  readonly write?: unknown
}

function activeQuery(connection: Connection): ActiveQuery | null | undefined {
  // Where this property exists, the public one is deprecated.
  const name = '_activeQuery' in connection ? '_activeQuery' : 'activeQuery'
  return Reflect.get(connection, name) as ActiveQuery | null | undefined
}

/** Marks a connection so that Knex's pool closes it instead of reusing it. */
export function discard(connection: Connection, reason: unknown): void {
  Reflect.set(connection, DISPOSED, reason)
}

/** Whether a connection is marked this way. Knex marks lost connections. */
export function isDiscarded(connection: Connection): boolean {
  return Reflect.has(connection, DISPOSED)
}

/** Returns why a connection was marked; undefined if it was not. */
export function discardedFor(connection: Connection): unknown {
  return Reflect.get(connection, DISPOSED)
}

const DISPOSED = '__knex__disposed'
