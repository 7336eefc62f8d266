import { parse } from 'node:path'

import { PgvectorMigrationError } from '../../core/errors.ts'

/**
 * Finds the migration that a user refers to by its number (2, 002), its full name, or the beginning of its name.
 *
 * @throws {PgvectorMigrationError} MIGRATION_NOT_FOUND with the nearest names, or MIGRATION_AMBIGUOUS with all matches.
 */
export function resolveVersion(version: string, names: readonly string[]): string {
  const wanted = version.trim()
  const exact = names.find((name) => name === wanted || stem(name) === stem(wanted))
  if (exact !== undefined) return exact
  const matches = /^\d+$/.test(wanted)
    ? names.filter((name) => numberOf(name) === BigInt(wanted))
    : names.filter((name) => wanted !== '' && name.startsWith(wanted))
  const [only] = matches
  if (only === undefined)
    throw new PgvectorMigrationError('MIGRATION_NOT_FOUND', { version, near: near(wanted, names) })
  if (matches.length > 1) throw new PgvectorMigrationError('MIGRATION_AMBIGUOUS', { version, matches })
  return only
}

function stem(name: string): string {
  return /\.[cm]?[jt]s$/.test(name) ? parse(name).name : name
}

function numberOf(name: string): bigint | null {
  const digits = /^\d+/.exec(name)?.[0]
  return digits === undefined ? null : BigInt(digits)
}

const MOST_NEAR = 5

// Returns names that share a word with the input. If there are none, the newest names show what names look like here.
function near(wanted: string, names: readonly string[]): string[] {
  const words = wanted.toLowerCase().match(/[a-z]+|\d+/g) ?? []
  const similar = names.filter((name) => words.some((word) => name.toLowerCase().includes(word)))
  return (similar.length > 0 ? similar : names).slice(-MOST_NEAR)
}
