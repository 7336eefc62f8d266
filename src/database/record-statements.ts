import { ASKS } from './messages.ts'
import type { Session } from './session.ts'
import { literalValue } from './literal-values.ts'
import { inlineBindings } from '../sql-text/inline-bindings.ts'
import { firstWords, splitStatements } from '../sql-text/split-statements.ts'
import { tokensOf } from '../sql-text/tokens.ts'
import { takeStack } from './watch-builders.ts'

/** A statement as the server receives it, with its bindings inlined. */
export interface PlannedStatement {
  readonly sql: string
  /** Whether it needs a role that may create, change or drop extensions. */
  readonly privileged: boolean
}

/** One round trip, as Knex reports it. */
export interface SentQuery {
  readonly sql: string
  readonly bindings: readonly unknown[]
  /** Whether it is Knex's own begin, savepoint, commit… and not a migration's. */
  readonly isControl: boolean
  /** The part that is one of our queries: nothing, all of it, or its last statement. */
  readonly asks: boolean | 'last'
  /** The stack of the call that created it; null if it is unknown. */
  readonly stack?: string | null
  /** Why it failed; undefined if it did not. */
  error?: unknown
}

/** The queries that are sent during the recording. */
export interface Recording {
  readonly sent: readonly SentQuery[]
  stop(): void
}

interface QueryEvent {
  readonly sql: string
  /** Knex gives no list to its own transaction statements, and a possibly empty list to all others. */
  readonly bindings?: readonly unknown[]
  readonly queryContext?: { readonly [ASKS]?: boolean | 'last' } | null
  readonly __knexQueryUid?: string
}

/** Records what a Knex instance and its transactions send over one connection. */
export function startRecording({ knex }: Session): Recording {
  const sent: (SentQuery & { readonly id: string | undefined })[] = []
  const onQuery = ({ sql, bindings, queryContext, __knexQueryUid: id }: QueryEvent): void => {
    const asks = queryContext?.[ASKS] ?? false
    sent.push({ id, sql, bindings: bindings ?? [], isControl: bindings === undefined, asks, stack: takeStack() })
  }
  const onError = (error: unknown, { sql, __knexQueryUid: id }: QueryEvent): void => {
    const failed = sent.findLast((query) => query.id === id && query.sql === sql && query.error === undefined)
    if (failed !== undefined) failed.error = error
  }
  knex.on('query', onQuery).on('query-error', onError)
  return { sent, stop: () => knex.removeListener('query', onQuery).removeListener('query-error', onError) }
}

/**
 * Returns the statements that took effect, without those that failed or were rolled back, and without our own queries.
 */
export function statementsOf(sent: readonly SentQuery[], transactional: boolean): PlannedStatement[] {
  const statements: { readonly sql: string; readonly stack: string | null }[] = []
  const opened: number[] = []
  let isInTransaction = transactional
  for (const query of sent) {
    if (!query.isControl) {
      const { error, stack = null } = query
      if (error === undefined) statements.push(...piecesOf(query, isInTransaction).map((sql) => ({ sql, stack })))
      continue
    }
    const [word] = firstWords(query.sql, 1)
    const isBlock = !transactional && (word === 'begin' || word === 'commit')
    if (word === 'begin' || word === 'savepoint') {
      opened.push(statements.length)
      // What we add to our own BEGIN concerns the session that runs it.
      const begin = splitStatements(query.sql).length > 1 ? 'begin' : query.sql.replace(/;$/, '').toLowerCase()
      if (isBlock) statements.push({ sql: begin, stack: null })
    } else {
      const start = opened.pop() ?? 0
      const isEmpty = statements.length === start + (isBlock ? 1 : 0)
      // A commit that fails is a rollback.
      if (word === 'rollback' || query.error !== undefined || isEmpty) statements.length = start
      else if (isBlock) statements.push({ sql: 'commit', stack: null })
    }
    isInTransaction = transactional || opened.length > 0
  }
  return statements.map(({ sql, stack }) => {
    const statement = { sql, privileged: isPrivileged(sql) }
    if (stack !== null) stacks.set(statement, stack)
    return statement
  })
}

// A plan is printed and compared, so what is only needed to name a line is kept apart from it.
const stacks = new WeakMap<PlannedStatement, string>()

/** Returns the stack of the call that created a statement; null if it is unknown. */
export function stackOf(statement: PlannedStatement): string | null {
  return stacks.get(statement) ?? null
}

/** Returns a query as the server received it. */
export function textOf({ sql, bindings }: SentQuery): string {
  return inlineBindings(sql, bindings, literalValue)
}

function piecesOf(query: SentQuery, isInTransaction: boolean): string[] {
  if (query.asks === true) return []
  const all = splitStatements(textOf(query))
  const pieces = query.asks === 'last' ? all.slice(0, -1) : all
  // The server runs one round trip as one transaction, whereas a script sends its statements separately.
  const isBlock = !isInTransaction && pieces.length > 1 && !pieces.some(isTransactionControl)
  return isBlock ? ['begin', ...pieces, 'commit'] : pieces
}

function isTransactionControl(statement: string): boolean {
  return /^(begin|start|commit|end|rollback|abort)$/.test(wordOf(statement))
}

function wordOf(statement: string): string {
  return firstWords(statement, 1)[0] ?? ''
}

const ON_EXTENSION = /\b(create|alter|drop)\s+extension\b/i

function isPrivileged(statement: string): boolean {
  const words = firstWords(statement, 2).join(' ')
  if (words !== 'do' && !words.startsWith('do ')) return ON_EXTENSION.test(words)
  return Array.from(tokensOf(statement)).some(({ kind, text }) => kind === 'string' && ON_EXTENSION.test(text))
}
