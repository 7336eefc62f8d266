import { escapeLiteral } from 'pg'

/** What node-postgres makes of a value before it sends it: text, bytes or null. */
type PrepareValue = (value: unknown) => string | Buffer | null

const { prepareValue } = require('pg/lib/utils.js') as { readonly prepareValue: PrepareValue }

/**
 * A value as a literal that means what it means as a parameter of a statement.
 *
 * It becomes what node-postgres would send, quoted, whatever its type: to PostgreSQL such a literal is as untyped as a
 * parameter, while a bare 5 is an integer and does not compare with a text. Knex's own formatting is for messages: it
 * omits the time zone of a date and writes bytes as a bit string.
 *
 * @example literalValue(5) // "'5'"
 */
export function literalValue(value: unknown): string {
  const prepared = prepareValue(value)
  if (prepared === null) return 'null'
  return escapeLiteral(typeof prepared === 'string' ? prepared : `\\x${prepared.toString('hex')}`).trim()
}
