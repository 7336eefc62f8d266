import { significantTokens, tokensOf } from './tokens.ts'

/** Splits SQL that is sent in one round trip into its statements, as the server does, without their semicolons. */
export function splitStatements(sql: string): string[] {
  const statements: string[] = []
  let first: number | null = null
  let current = none
  const finish = (): void => {
    if (current.end > 0) statements.push(sql.slice(first ?? 0, current.end))
    first = null
    current = none
  }
  for (const { kind, text, start } of tokensOf(sql)) {
    if (text === ';' && current.parentheses === 0 && !current.isInBody) {
      finish()
    } else if (kind !== 'space') {
      first ??= start
      if (kind !== 'comment') current = after(current, text.toLowerCase(), start + text.length)
    }
  }
  finish()
  return statements
}

/** What is known about the statement being read. */
interface OpenStatement {
  /** The end of its last token; 0 while there have only been comments. */
  readonly end: number
  readonly parentheses: number
  /** Whether this position is inside a function body in standard SQL, which has semicolons of its own. */
  readonly isInBody: boolean
  readonly isRoutine: boolean
  readonly words: number
  readonly previous: string
}

const none: OpenStatement = {
  end: 0,
  parentheses: 0,
  isInBody: false,
  isRoutine: false,
  words: 0,
  previous: '',
}

function after(open: OpenStatement, text: string, end: number): OpenStatement {
  return {
    end,
    parentheses: depthAfter(open.parentheses, text),
    isInBody: open.isInBody ? !endsBody(open.previous, text) : beginsBody(open, text),
    isRoutine: open.isRoutine || makesRoutine(open, text),
    words: open.words + 1,
    previous: text,
  }
}

function depthAfter(depth: number, text: string): number {
  if (text === '(') return depth + 1
  return text === ')' && depth > 0 ? depth - 1 : depth
}

// Matches create [or replace] function or procedure. Elsewhere, begin and atomic are ordinary names.
function makesRoutine({ words, previous }: OpenStatement, text: string): boolean {
  if (text !== 'function' && text !== 'procedure') return false
  return (words === 1 && previous === 'create') || (words === 3 && previous === 'replace')
}

function beginsBody({ isRoutine, parentheses, previous }: OpenStatement, text: string): boolean {
  return isRoutine && parentheses === 0 && previous === 'begin' && text === 'atomic'
}

// Every statement of a body ends with a semicolon, so any other end belongs to a case or is a name.
function endsBody(previous: string, text: string): boolean {
  return text === 'end' && (previous === ';' || previous === 'atomic')
}

/** Returns the first words of a statement in lower case, which identify its kind. */
export function firstWords(statement: string, count: number): string[] {
  const words: string[] = []
  for (const { kind, text } of significantTokens(statement)) {
    if (kind !== 'word' || words.length === count) break
    words.push(text.toLowerCase())
  }
  return words
}
