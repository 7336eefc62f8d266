import { currentTarget } from './target.ts'
import { ask, askEach, send, type Database } from './queryable.ts'
import { literal } from '../core/sql.ts'
import { assertSameProcess } from './shared-session.ts'

/** The one connection that an index is built on: settings, locks and notices belong to a connection. */
export interface BuildingSession {
  /** Sends on that connection. It can `raw` and nothing else. */
  readonly db: Database
  readonly processId: number
  /** The embedded database has no other connection. */
  readonly isEmbedded: boolean
  /** Refuses a connection that a pooler shares out statement by statement (SESSION_SHARED); it asks once. */
  assertOwn(): Promise<void>
  /** Runs with settings of its own, and puts back what was there, also after an error. */
  withSettings<Result>(settings: Readonly<Record<string, string>>, run: () => Promise<Result>): Promise<Result>
}

/** The part of a connection of pg, or of PGlite's adapter, that is needed here. */
interface Connection {
  /** What the other end said when it was connected: of a pooler it is a number of its own. */
  readonly processID?: number | null
  on?(event: 'notice', listener: (notice: { readonly message?: string }) => void): void
  removeListener?(event: 'notice', listener: (notice: { readonly message?: string }) => void): void
}

/** What Knex's client has and its types do not tell. */
interface ConnectionPool {
  acquireConnection(): Promise<Connection>
  releaseConnection(connection: Connection): Promise<void>
}

/** Takes a connection out of Knex's pool (a transaction has its own) for as long as `run` needs it. */
export async function withBuildingSession<Result>(
  db: Database,
  onNotice: (message: string) => void,
  run: (session: BuildingSession) => Promise<Result>,
): Promise<Result> {
  const pool = db.client as ConnectionPool
  const connection = await pool.acquireConnection()
  const listener = ({ message = '' }: { readonly message?: string }): void => onNotice(message)
  connection.on?.('notice', listener)
  try {
    const bound = bindTo(db, connection)
    const about = await ask<Pick<BuildingSession, 'processId' | 'isEmbedded'>>(
      bound,
      `select json_build_object('processId', pg_backend_pid(), 'isEmbedded', version() ~ 'PGlite') as state`,
    )
    // In a transaction every pooler keeps to one process.
    const isOwn = connection.processID === about.processId || about.isEmbedded || db.isTransaction === true
    let asked = isOwn ? Promise.resolve() : undefined
    const assertOwn = (): Promise<void> => (asked ??= assertSameProcess(bound, about.processId))
    return await run({
      db: bound,
      ...about,
      assertOwn,
      withSettings: async (settings, work) => {
        await assertOwn()
        return withSettings(bound, connection, settings, work)
      },
    })
  } finally {
    connection.removeListener?.('notice', listener)
    await pool.releaseConnection(connection)
  }
}

function bindTo(db: Database, connection: Connection): Database {
  return {
    raw: (sql: string) => db.raw(sql).connection(connection),
    client: db.client as unknown,
    isTransaction: db.isTransaction === true,
  } as unknown as Database
}

async function withSettings<Result>(
  db: Database,
  connection: Connection,
  settings: Readonly<Record<string, string>>,
  run: () => Promise<Result>,
): Promise<Result> {
  // In a transaction they are local to it, so that they go with it whatever happens.
  const isLocal = db.isTransaction === true
  const set = (values: Readonly<Record<string, string | null>>): string => {
    const calls = Object.entries(values).map(([name, value]) =>
      value === null ? 'null' : `set_config(${literal(name)}, ${literal(value)}, ${isLocal})`,
    )
    return `select json_build_array(${calls.join(', ')}) as state`
  }
  const names = Object.keys(settings)
  const current = names.map((name) => `${literal(name)}, current_setting(${literal(name)}, true)`)
  const [seen] = await askEach(db, [`select json_build_object(${current.join(', ')}) as state`, set(settings)])
  const before = seen as Readonly<Record<string, string | null>>
  await showInPlan(db, settings)
  try {
    return await run()
  } finally {
    const putBack = async (): Promise<void> => {
      await ask(db, set(before))
      await showInPlan(db, before)
    }
    await putBack().catch((error: unknown) => {
      // Knex gives such a connection to nobody else.
      Reflect.set(connection, '__knex__disposed', error)
    })
  }
}

// A plan leaves out what only asks, and with it settings that are meant for the server that it is made on. That nobody
// is kept waiting is meant for every server.
async function showInPlan(
  db: Database,
  { lock_timeout: timeout }: Readonly<Record<string, string | null>>,
): Promise<void> {
  if (currentTarget() === null || db.isTransaction !== true || typeof timeout !== 'string') return
  await send(db, `set local lock_timeout = ${literal(timeout)}`)
}
