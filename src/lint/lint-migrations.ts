import { flagKind, optionsParser, valueKind } from '../core/option-kinds.ts'
import { isVectorIndex, type VectorIndex } from '../indexes/vector-index.ts'
import { splitStatements } from '../sql-text/split-statements.ts'
import { allowancesIn, type Allowances } from './allowances.ts'
import { lockTimeoutAfter, lockTimeoutAfterAll, lockTimeoutAtStart, lockTimeoutWithin } from './lock-timeout.ts'
import { loadParser, type Parser } from './parser.ts'
import { readStatement } from './read-statement.ts'
import type { Step } from './rule.ts'
import { lintRules, rules, type LintRule } from './rules.ts'
import { nothing, type Statement } from './statement.ts'
import type { KnownTable } from './known-table.ts'
import { Tables } from './tables.ts'

/** A migration as {@link lintMigrations} takes it; one of a plan is one. */
export interface LintedMigration {
  readonly name: string
  readonly transactional: boolean
  readonly statements: readonly { readonly sql: string }[]
}

/** What {@link lintMigrations} may be told; without it, every table is taken to have rows. */
export interface LintFacts {
  /** The tables of the database before the first migration. */
  readonly tables?: readonly KnownTable[] | undefined
  /** Whether every session of the database has a lock_timeout; default false. */
  readonly hasLockTimeout?: boolean | undefined
  /** Indexes as they are declared with `vectorIndex`; an index that differs in its operator class is a finding. */
  readonly declared?: readonly VectorIndex[] | undefined
}

export const declaredKind = valueKind<readonly VectorIndex[]>(
  (value) => Array.isArray(value) && value.every(isVectorIndex),
  'must be a list of what vectorIndex made',
)

const parseFacts = optionsParser({
  tables: valueKind<readonly KnownTable[]>(Array.isArray, 'must be a list of tables'),
  hasLockTimeout: flagKind,
  declared: declaredKind,
})

/** A statement that is better not sent as it stands. */
export interface LintFinding {
  /** Stable; docs/lint.md has a heading for it. */
  readonly rule: LintRule
  readonly migration: string
  readonly statement: string
  /** What is wrong, in one sentence. */
  readonly message: string
  /** What to do, in the imperative. */
  readonly next: string
  readonly docsUrl: string
}

/** What a linter found. */
export interface LintResult {
  readonly findings: readonly LintFinding[]
  /** What a comment in the statement allows, with its reason. */
  readonly allowed: readonly (LintFinding & { readonly reason: string })[]
  /** Statements that were not looked into, and why. */
  readonly unread: readonly UnreadStatement[]
  /** Comments that allow nothing, and what was not known. */
  readonly notes: readonly string[]
}

/** A statement that was not looked into, and why. */
export interface UnreadStatement {
  readonly migration: string
  readonly statement: string
  readonly reason: string
}

const DOCS_URL = 'https://github.com/knex-pgvector/knex-pgvector/blob/main/docs/lint.md'

interface ReadStatement {
  readonly migration: LintedMigration
  readonly sql: string
  /** How many statements are sent with it in one round trip, itself among them. */
  readonly together: number
  /** Whether it is the last of those. */
  readonly isLast: boolean
  readonly statement: Statement
  /** Null where it was read. */
  readonly problem: string | null
}

/**
 * Judges the SQL of migrations by rules that know vectors, read with PostgreSQL's own parser. Nothing is sent anywhere.
 *
 * @example
 * const { migrations } = await createMigrator(knex).plan()
 * const { findings } = await lintMigrations(migrations)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS; PARSER_NOT_INSTALLED without the package libpg-query, which is optional.
 */
export async function lintMigrations(
  migrations: readonly LintedMigration[],
  facts: LintFacts = {},
): Promise<LintResult> {
  const { tables: known, hasLockTimeout = false, declared = [] } = parseFacts(facts)
  const parse = await loadParser()
  const read = migrations.map((migration) => readAll(migration, parse))
  const queries = read.flat().flatMap(({ statement }) => statement.query ?? [])
  const tables = new Tables(known ?? null)
  const result = {
    findings: [] as LintFinding[],
    allowed: [] as LintResult['allowed'][number][],
    notes: [] as string[],
  }
  for (const [index, statements] of read.entries()) {
    let lock = lockTimeoutAtStart(hasLockTimeout, migrations[index]?.transactional ?? true)
    for (const each of statements) {
      const { statement, sql, migration, together } = each
      lock = lockTimeoutWithin(lock, together > 1)
      const found = findingsOf(each, {
        statement,
        tables,
        migration: migration.name,
        hasLockTimeout: lock.isSet,
        transaction: lock.transaction,
        declared,
        queries,
      })
      const allowances = allowancesIn(sql)
      for (const finding of found) {
        const reason = allowances.reasons.get(finding.rule)
        if (reason === undefined) result.findings.push(finding)
        else result.allowed.push({ ...finding, reason })
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
  return migration.statements.flatMap(({ sql: sent }) => {
    const parts = splitStatements(sent)
    return parts.map((sql, place) => {
      const node = parse(sql)
      const read =
        'problem' in node
          ? { statement: nothing, problem: node.problem }
          : { statement: readStatement(node, sql), problem: null }
      return { migration, sql, together: parts.length, isLast: place === parts.length - 1, ...read }
    })
  })
}

function findingsOf({ migration, sql }: ReadStatement, step: Step): LintFinding[] {
  return lintRules.flatMap((rule) =>
    rules[rule](step).map(({ message, next }) => ({
      rule,
      migration: migration.name,
      statement: sql,
      message: message.charAt(0).toUpperCase() + message.slice(1),
      next,
      docsUrl: `${DOCS_URL}#${rule}`,
    })),
  )
}

// An allowance that fits nothing stands at the wrong statement, or is of old.
function notesOn({ migration }: ReadStatement, found: readonly LintFinding[], allowances: Allowances): string[] {
  const unused = [...allowances.reasons.keys()].filter((id) => !found.some(({ rule }) => rule === id))
  return [
    ...allowances.problems.map((problem) => `${migration.name}: ${problem}`),
    ...unused.map((id) => `${migration.name}: a comment allows ${id} where there is nothing to allow`),
  ]
}

function unreadOf({ migration, sql, statement, problem }: ReadStatement): UnreadStatement[] {
  const reason = problem ?? (statement.isOpaque ? 'what a DO block does is not read' : null)
  return reason === null ? [] : [{ migration: migration.name, statement: sql, reason }]
}
