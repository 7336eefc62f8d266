import { escapeLiteral } from 'pg'

import { tokensOf } from './tokens.ts'

/** What node-postgres makes of a value before it sends it: text, bytes or null. */
type PrepareValue = (value: unknown) => string | Buffer | null

const { prepareValue } = require('pg/lib/utils.js') as { readonly prepareValue: PrepareValue }

/**
 * Writes the bindings of a statement into it, so that it does what it did with them.
 *
 * They become what node-postgres would have sent, quoted, whatever their type: to PostgreSQL such a literal is as
 * untyped as a parameter, while a bare 5 is an integer and does not compare with a text. Knex's own formatting is for
 * messages: it leaves a date without its time zone and writes bytes as a bit string.
 */
export function inlineBindings(sql: string, bindings: readonly unknown[]): string {
  if (bindings.length === 0) return sql
  const texts = Array.from(tokensOf(sql), ({ kind, text }) =>
    kind === 'parameter' ? quoted(bindings[Number(text.slice(1)) - 1]) : text,
  )
  return texts.join('')
}

function quoted(value: unknown): string {
  const prepared = prepareValue(value)
  if (prepared === null) return 'null'
  return escapeLiteral(typeof prepared === 'string' ? prepared : `\\x${prepared.toString('hex')}`).trim()
}
