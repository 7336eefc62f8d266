import { PgvectorMigrationError } from '../core/errors.ts'

// A length that file systems, shells and a column of 255 characters all accept.
const MOST_LETTERS = 200

/**
 * Returns the name of a migration as used in its file name, without the number.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function fileNameOf(name: string): string {
  const words = name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, '_')
    .toLowerCase()
    .replaceAll(/[^a-z\d]+/g, '_')
    .replace(/^_*(\d+_)?/, '')
    // Underscores never repeat here.
    .replace(/_$/, '')
  if (words !== '' && words.length <= MOST_LETTERS) return words
  throw invalidName(words === '' ? `must have letters or digits: ${name}` : `must have at most ${MOST_LETTERS} letters`)
}

export function invalidName(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [`name: ${problem}`] })
}
