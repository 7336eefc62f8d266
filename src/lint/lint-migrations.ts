import { flagKind, optionsParser, valueKind } from '../core/option-kinds.ts'
import { isVectorIndex, type VectorIndex } from '../indexes/vector-index.ts'
import { splitStatements } from '../sql-text/split-statements.ts'
import { allowancesIn, type Allowances } from './allowances.ts'
import { lockTimeoutAfter, lockTimeoutAfterAll, lockTimeoutAtStart, lockTimeoutWithin } from './lock-timeout.ts'
import { loadParser, type Parser } from './parser.ts'
import { readStatement } from './read-statement.ts'
import { ReportedWaits } from './reported-waits.ts'
import type { Step } from './rule.ts'
import { lintRules, rules, type LintRule } from './rules.ts'
import { nothing, type Statement } from './statement.ts'
import type { KnownTable } from './known-table.ts'
import { Tables } from './tables.ts'

/** A migration to lint. Those of a plan have this form. */
export interface LintedMigration {
  readonly name: string
  readonly transactional: boolean
  /** Its file, which the findings name. */
  readonly file?: string | null | undefined
  /** Its statements, with their lines in the file. */
  readonly statements: readonly LintedStatement[]
  /** Queries that it creates and does not await. */
  readonly unawaited?: readonly LintedStatement[] | undefined
}

interface LintedStatement {
  readonly sql: string
  readonly line?: number | null | undefined
}

/** What {@link lintMigrations} may assume. Without it, every table is assumed to have rows. */
export interface LintFacts {
  /** The tables of the database before the first migration. */
  readonly tables?: readonly KnownTable[] | undefined
  /** Whether every session of the database has a lock_timeout; default false. */
  readonly hasLockTimeout?: boolean | undefined
  /** Indexes declared with `vectorIndex`. An index with a different operator class is a finding. */
  readonly declared?: readonly VectorIndex[] | undefined
}

/** @internal */
export const declaredKind = valueKind<readonly VectorIndex[]>(
  (value) => Array.isArray(value) && value.every(isVectorIndex),
  'must be a list of what vectorIndex made',
)

const parseFacts = optionsParser({
  tables: valueKind<readonly KnownTable[]>(Array.isArray, 'must be a list of tables'),
  hasLockTimeout: flagKind,
  declared: declaredKind,
})

/** A statement that should not be sent unchanged. */
export interface LintFinding {
  /** Stable; docs/lint.md has a heading for it. */
  readonly rule: LintRule
  readonly migration: string
  /** The file of the migration; null if its source has none. */
  readonly file: string | null
  /** The line of the statement in the file; null if it is unknown. */
  readonly line: number | null
  readonly statement: string
  /** The problem, in one sentence. */
  readonly message: string
  /** What to do, in the imperative. */
  readonly next: string
  readonly docsUrl: string
}

/** The result of a linter run. */
export interface LintResult {
  readonly findings: readonly LintFinding[]
  /** Findings that a comment in the statement allows, with its reason. */
  readonly allowed: readonly (LintFinding & { readonly reason: string })[]
  /** Statements that were not checked, and why. */
  readonly unread: readonly UnreadStatement[]
  /** Comments that allow nothing, and facts that were unknown. */
  readonly notes: readonly string[]
}

/** A statement that was not checked, and why. */
export interface UnreadStatement {
  readonly migration: string
  readonly file: string | null
  readonly line: number | null
  readonly statement: string
  readonly reason: string
}

const DOCS_URL = 'https://github.com/knex-pgvector/knex-pgvector/blob/main/docs/lint.md'

interface ReadStatement {
  readonly migration: LintedMigration
  readonly line: number | null
  readonly sql: string
  /** How many statements its round trip sends, including itself. */
  readonly together: number
  /** Whether it is the last of them. */
  readonly isLast: boolean
  readonly statement: Statement
  /** Null if it was parsed. */
  readonly problem: string | null
}

/**
 * Checks the SQL of migrations against rules for vectors, using PostgreSQL's own parser. It sends nothing to a server.
 *
 * @example
 * const { migrations } = await createMigrator(knex).plan()
 * const { findings } = await lintMigrations(migrations)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS; PARSER_NOT_INSTALLED without the optional package libpg-query.
 */
export async function lintMigrations(
  migrations: readonly LintedMigration[],
  facts: LintFacts = {},
): Promise<LintResult> {
  const { tables: known, hasLockTimeout = false, declared = [] } = parseFacts(facts)
  const parse = await loadParser()
  const read = migrations.map((migration) => readAll(migration, parse))
  const statements = read.flat().map(({ statement }) => statement)
  const queries = statements.flatMap(({ query }) => query ?? [])
  const tables = new Tables(known ?? null)
  const result = {
    findings: [] as LintFinding[],
    allowed: [] as LintResult['allowed'][number][],
    notes: [] as string[],
  }
  for (const [index, own] of read.entries()) {
    const waits = new ReportedWaits()
    let lock = lockTimeoutAtStart(hasLockTimeout, migrations[index]?.transactional ?? true)
    for (const each of own) {
      const { statement, sql, migration, together } = each
      lock = lockTimeoutWithin(lock, together > 1)
      const found = findingsOf(each, {
        statement,
        tables,
        migration: migration.name,
        hasLockTimeout: lock.isSet,
        waits,
        transaction: lock.transaction,
        declared,
        statements,
        queries,
      })
      const allowances = allowancesIn(sql)
      for (const finding of found) {
        const reason = allowances.reasons.get(finding.rule)
        if (reason === undefined) result.findings.push(finding)
        // What a comment allows for one statement is not allowed for the next one.
        if (reason === undefined && finding.rule === 'lock-timeout') waits.add(tables, statement)
        if (reason !== undefined) result.allowed.push({ ...finding, reason })
      }
      result.notes.push(...notesOn(each, found, allowances))
      tables.apply(statement, migration.name)
      lock = lockTimeoutAfter(lock, statement)
      if (each.isLast) lock = lockTimeoutAfterAll(lock)
    }
  }
  return { ...result, unread: read.flat().flatMap(unreadOf) }
}

function readAll(migration: LintedMigration, parse: Parser): ReadStatement[] {
  const sent = migration.statements.flatMap((statement) => readSent(migration, statement, parse))
  const unawaited = (migration.unawaited ?? []).map(({ sql, line = null }) => {
    const statement = { ...nothing, isUnawaited: true }
    return { migration, line, sql, together: 1, isLast: true, statement, problem: null }
  })
  return [...sent, ...unawaited]
}

function readSent(
  migration: LintedMigration,
  { sql: sent, line = null }: LintedStatement,
  parse: Parser,
): ReadStatement[] {
  const parts = splitStatements(sent)
  return parts.map((sql, place) => {
    const node = parse(sql)
    const read =
      'problem' in node
        ? { statement: nothing, problem: node.problem }
        : { statement: readStatement(node, sql), problem: null }
    return { migration, line, sql, together: parts.length, isLast: place === parts.length - 1, ...read }
  })
}

function findingsOf({ migration, line, sql }: ReadStatement, step: Step): LintFinding[] {
  return lintRules.flatMap((rule) =>
    rules[rule](step).map(({ message, next }) => ({
      rule,
      migration: migration.name,
      file: migration.file ?? null,
      line,
      statement: sql,
      message: message.charAt(0).toUpperCase() + message.slice(1),
      next,
      docsUrl: `${DOCS_URL}#${rule}`,
    })),
  )
}

// An allowance that matches nothing is on the wrong statement, or outdated.
function notesOn({ migration }: ReadStatement, found: readonly LintFinding[], allowances: Allowances): string[] {
  const unused = [...allowances.reasons.keys()].filter((id) => !found.some(({ rule }) => rule === id))
  return [
    ...allowances.problems.map((problem) => `${migration.name}: ${problem}`),
    ...unused.map((id) => `${migration.name}: a comment allows ${id} where there is nothing to allow`),
  ]
}

function unreadOf({ migration, line, sql, statement, problem }: ReadStatement): UnreadStatement[] {
  const reason = problem ?? (statement.isOpaque ? 'what a DO block does is not read' : null)
  return reason === null
    ? []
    : [{ migration: migration.name, file: migration.file ?? null, line, statement: sql, reason }]
}
