import type { Knex } from 'knex'

import { firstWords } from '../sql-text/split-statements.ts'

/** A query that was created and not awaited, as SQL, with the stack of the call that created it. */
export interface UnawaitedQuery {
  readonly sql: string
  readonly stack: string
}

/** Watches the queries that a migration creates. */
export interface BuilderWatch {
  /** Forgets the previous migration, and watches from now on. */
  start(): void
  /** Returns the queries that were not awaited until now, and stops. */
  stop(): UnawaitedQuery[]
}

const SEQUENCE = '_sequence'

/** What `knex.raw`, `knex.schema` and `knex.queryBuilder` create, as far as it is used here. */
interface Builder {
  /** The text of a raw query. */
  readonly sql?: unknown
  /** The calls of a schema builder. */
  readonly [SEQUENCE]?: readonly unknown[]
  toSQL: (...given: readonly unknown[]) => unknown
  toQuery(): string
  on(event: 'query', listener: () => void): unknown
}

/** The class of Knex's client for PostgreSQL. */
export type ClientClass = new (config: Knex.Config) => {
  raw(...given: readonly unknown[]): Builder
  schemaBuilder(): Builder
  queryBuilder(): Builder
  /** Sends a builder's query when it is awaited. */
  runner(builder: Builder): { run: () => Promise<unknown> }
}

interface Watched {
  readonly builder: Builder
  readonly stack: string
  /** Whether it was compiled, on its own or as a part of another query. */
  isUsed: boolean
  running: number
}

// Knex reports a query synchronously, to the builder first, so no other query can come between.
let reporting: string | null = null

/** Returns the stack of the call that created the query that Knex is reporting; null if it is unknown. */
export function takeStack(): string | null {
  const stack = reporting
  reporting = null
  return stack
}

/**
 * Derives a client whose queries are watched. Knex creates a query when it is built, and sends it when it is awaited, so
 * a forgotten `await` is no error: the query is never sent.
 */
export function watchClient(Client: ClientClass): { readonly client: ClientClass; readonly watch: BuilderWatch } {
  let watched: Watched[] | null = null
  const known = new WeakMap<Builder, Watched>()
  const add = (builder: Builder): Builder => {
    if (watched === null) return builder
    const each = observe(builder)
    watched.push(each)
    known.set(builder, each)
    return builder
  }
  const client = class extends Client {
    override raw(...given: readonly unknown[]): Builder {
      return add(super.raw(...given))
    }
    override schemaBuilder(): Builder {
      return add(super.schemaBuilder())
    }
    override queryBuilder(): Builder {
      return add(super.queryBuilder())
    }
    override runner(builder: Builder): { run: () => Promise<unknown> } {
      const runner = super.runner(builder)
      const each = known.get(builder)
      return each === undefined ? runner : counted(runner, each)
    }
  }
  const start = (): void => {
    watched = []
  }
  const stop = (): UnawaitedQuery[] => {
    const created = watched ?? []
    watched = null
    return created.filter(isUnawaited).map(({ builder, stack }) => ({ sql: textOf(builder), stack }))
  }
  return { client, watch: { start, stop } }
}

function observe(builder: Builder): Watched {
  const each: Watched = { builder, stack: stackHere(), isUsed: false, running: 0 }
  const { toSQL } = builder
  builder.toSQL = (...given) => {
    each.isUsed = true
    return Reflect.apply(toSQL, builder, given)
  }
  builder.on('query', () => {
    reporting = each.stack
  })
  return each
}

function counted<Runner extends { run: () => Promise<unknown> }>(runner: Runner, each: Watched): Runner {
  const { run } = runner
  runner.run = async () => {
    each.isUsed = true
    each.running += 1
    try {
      return await run.call(runner)
    } finally {
      each.running -= 1
    }
  }
  return runner
}

const DEPTH = 50

function stackHere(): string {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = DEPTH
  const { stack = '' } = new Error()
  Error.stackTraceLimit = stackTraceLimit
  return stack
}

const statementWords = new Set([
  'alter',
  'analyze',
  'call',
  'comment',
  'copy',
  'create',
  'delete',
  'do',
  'drop',
  'grant',
  'insert',
  'lock',
  'merge',
  'refresh',
  'reindex',
  'revoke',
  'select',
  'set',
  'truncate',
  'update',
  'vacuum',
  'with',
])

// A raw query may be a part that is never needed, such as a default value. A whole statement is there to be sent.
function isUnawaited({ builder, isUsed, running }: Watched): boolean {
  if (running > 0) return true
  if (isUsed) return false
  if (typeof builder.sql === 'string') return statementWords.has(firstWords(builder.sql, 1)[0] ?? '')
  return (builder[SEQUENCE] ?? []).length > 0
}

function textOf(builder: Builder): string {
  try {
    return builder.toQuery()
  } catch {
    return typeof builder.sql === 'string' ? builder.sql : ''
  }
}
