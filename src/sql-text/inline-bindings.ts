import { tokensOf } from './tokens.ts'

/**
 * Writes the bindings of a statement into its text, each as the literal that `literalOf` returns for it.
 *
 * @example inlineBindings('select $1', [5], (value) => `'${value}'`) // "select '5'"
 */
export function inlineBindings(
  sql: string,
  bindings: readonly unknown[],
  literalOf: (value: unknown) => string,
): string {
  if (bindings.length === 0) return sql
  const texts = Array.from(tokensOf(sql), ({ kind, text }) =>
    kind === 'parameter' ? literalOf(bindings[Number(text.slice(1)) - 1]) : text,
  )
  return texts.join('')
}
