import type { PlannedMigration } from './result.ts'
import type { PlannedStatement } from '../../database/record-statements.ts'
import { identifierOf } from '../../sql-text/names.ts'
import { firstWords } from '../../sql-text/split-statements.ts'
import { significantTokens, type SqlToken } from '../../sql-text/tokens.ts'

/** A plan whose privileged statements run before everything else. */
export interface SetApart {
  readonly privileged: readonly string[]
  readonly rest: readonly PlannedMigration[]
}

/**
 * Moves statements that create or update extensions to the front, with the schemas that they are created in.
 *
 * Every moved statement can run even if its work is already done. Statements that drop or move an extension stay in
 * place, and so do all later ones, because their effect would differ at the front.
 */
export function setApart(migrations: readonly PlannedMigration[]): SetApart {
  const all = migrations.flatMap(({ statements }) => statements)
  const last = all.findIndex(({ sql, privileged }) => privileged && !isMovable(sql))
  const moved = new Set((last === -1 ? all : all.slice(0, last)).filter(({ privileged }) => privileged))
  const wanted = [...moved].map(({ sql }) => schemaOf(sql))
  const schemas = new Set(all.filter(({ sql }) => isOneOf(wanted, createdSchema(sql))))
  return {
    privileged: all
      .filter((statement) => moved.has(statement) || schemas.has(statement))
      .map(({ sql }) => repeatable(sql)),
    rest: migrations.map(({ name, transactional, statements }) => ({
      name,
      transactional,
      statements: withoutEmptyBlocks(statements.filter((statement) => !moved.has(statement))).map((statement) =>
        schemas.has(statement) ? { sql: repeatable(statement.sql), privileged: false } : statement,
      ),
    })),
  }
}

function isOneOf(names: readonly (string | null)[], name: string | null): boolean {
  return name !== null && names.includes(name)
}

function isMovable(sql: string): boolean {
  const words = firstWords(sql, 2).join(' ')
  return words === 'create extension' || (words === 'alter extension' && /\bupdate\b/i.test(sql))
}

function significant(sql: string): SqlToken[] {
  return Array.from(significantTokens(sql))
}

/** Returns the schema that an extension is created in, if the statement names one. */
function schemaOf(sql: string): string | null {
  const tokens = significant(sql)
  const place = tokens.findIndex(({ text }, index) => index > 1 && text.toLowerCase() === 'schema')
  const name = place === -1 ? undefined : tokens[place + 1]
  return name === undefined ? null : identifierOf(name)
}

function createdSchema(sql: string): string | null {
  if (firstWords(sql, 2).join(' ') !== 'create schema') return null
  const [, , ...rest] = significant(sql)
  const name = isConditional(rest) ? rest[3] : rest[0]
  return name === undefined ? null : identifierOf(name)
}

/** `create … if not exists`. */
function repeatable(sql: string): string {
  const [create, what, ...rest] = significant(sql)
  if (create?.text.toLowerCase() !== 'create' || what === undefined || isConditional(rest)) return sql
  const end = what.start + what.text.length
  return `${sql.slice(0, end)} if not exists${sql.slice(end)}`
}

function isConditional(tokens: readonly SqlToken[]): boolean {
  return ['if', 'not', 'exists'].every((word, index) => tokens[index]?.text.toLowerCase() === word)
}

// Removes a begin and commit if everything between them was moved.
function withoutEmptyBlocks(statements: readonly PlannedStatement[]): PlannedStatement[] {
  return statements.filter(({ sql }, index) => {
    const isBegin = sql === 'begin' && statements[index + 1]?.sql === 'commit'
    const isCommit = sql === 'commit' && statements[index - 1]?.sql === 'begin'
    return !isBegin && !isCommit
  })
}
