import { escapeLiteral } from 'pg'

import { binaryKindOf } from './binary-value.ts'

/** How node-postgres converts a value before it sends it: to text, bytes or null. */
type PrepareValue = (value: unknown) => string | Buffer | null

const { prepareValue } = require('pg/lib/utils.js') as { readonly prepareValue: PrepareValue }

/**
 * Returns a value as a literal with the same meaning as a parameter of a statement.
 *
 * It is the text that node-postgres would send, quoted, whatever its type. To PostgreSQL such a literal is as untyped
 * as a parameter, whereas a bare 5 is an integer and cannot be compared with text. Knex's own formatting is for
 * messages: it omits the time zone of a date and writes bytes as a bit string.
 *
 * @example literalValue(5) // "'5'"
 */
export function literalValue(value: unknown): string {
  const kind = binaryKindOf(value)
  const text = kind === null ? parameterText(value) : kind.textOf(value as Buffer)
  return text === null ? 'null' : escapeLiteral(text).trim()
}

/** Returns the text that node-postgres sends for a value; null for null. */
export function parameterText(value: unknown): string | null {
  const prepared = prepareValue(value)
  return prepared === null || typeof prepared === 'string' ? prepared : `\\x${prepared.toString('hex')}`
}
