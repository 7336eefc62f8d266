import { tokensOf } from './tokens.ts'

/** Splits what is sent in one round trip into its statements, as psql does, without their semicolons. */
export function splitStatements(sql: string): string[] {
  const statements: string[] = []
  let start = 0
  let end = 0
  let parentheses = 0
  let blocks = 0
  let previous = ''
  const finish = (): void => {
    if (end > start) statements.push(sql.slice(start, end).trim())
  }
  for (const token of tokensOf(sql)) {
    if (token.kind === 'blank') continue
    const text = token.text.toLowerCase()
    if (text === ';' && parentheses === 0 && blocks === 0) {
      finish()
      start = end = token.start + 1
      previous = ''
      continue
    }
    end = token.start + token.text.length
    if (text === '(') parentheses++
    if (text === ')') parentheses--
    // The body of a function in standard SQL holds semicolons of its own, and ends of its own.
    if (text === 'atomic' && previous === 'begin') blocks = 1
    else if (blocks > 0 && text === 'case') blocks++
    else if (blocks > 0 && text === 'end') blocks--
    previous = text
  }
  finish()
  return statements
}

/** The first words of a statement, in lower case: what kind of statement it is. */
export function firstWords(statement: string, count: number): string[] {
  const words: string[] = []
  for (const { kind, text } of tokensOf(statement)) {
    if (kind === 'blank') continue
    if (kind !== 'word' || words.length === count) break
    words.push(text.toLowerCase())
  }
  return words
}
