import { tokensOf } from './tokens.ts'

// A key and its sign of assignment; password_encryption is no such key, and password::text no assignment.
const KEY = /password(?<quote>\\*["'])?[ \t\r\n]*(?<sign>:=|=>|=|:(?!:)|,(?=[ \t\r\n]*\\*'))?[ \t\r\n]*/gi

/**
 * Hides what follows the word password in text of any kind: a connection string, an object, JSON, or a piece of SQL
 * amid prose, where apostrophes do not come in pairs.
 */
export function hideInText(text: string, hidden: string): string {
  let shown = ''
  let last = 0
  KEY.lastIndex = 0
  for (let found = KEY.exec(text); found !== null; found = KEY.exec(text)) {
    const { quote, sign = '' } = found.groups ?? {}
    const start = KEY.lastIndex
    const isKey = sign !== ',' || quote !== undefined
    const end = isKey && !text.startsWith(hidden, start) ? endOfSecret(text, start, sign) : start
    if (end === start) continue
    shown += `${text.slice(last, start)}${hidden}`
    last = KEY.lastIndex = end
  }
  return shown + text.slice(last)
}

/** Where a secret ends that begins there, after that sign of assignment; where it begins if it is none. */
export function endOfSecret(text: string, start: number, sign: string): number {
  const [delimiter] = matchAt(/\\+["']|(?:'')+(?![\s;,)\]}'"]|$)/y, text, start)
  if (delimiter !== undefined) return endAfter(text, delimiter, start + delimiter.length)
  const isQuoted = matchAt(sign === '' ? /(?:[eE]|[uU]&)?'|\$\w*\$/y : /(?:[eE]|[uU]&)?'|\$\w*\$|"/y, text, start)
  if (isQuoted.length > 0) return sign === '' ? endOfToken(text, start) : endOfQuotedValue(text, start)
  // In a connection string everything up to a space is the value; what follows a colon is a part of an object.
  const [value = ''] =
    sign === '' || sign === ',' ? [] : matchAt(sign === ':' ? /[^\s,;}]+/y : /(?:\\\s|\S)+/y, text, start)
  return start + value.length
}

/**
 * Where a quoted value ends. In a connection string and in JSON a backslash escapes a quote, in SQL it does not: where
 * the two readings differ, the longer one counts.
 */
function endOfQuotedValue(text: string, start: number): number {
  const [quote] = matchAt(/["']/y, text, start)
  const asToken = endOfToken(text, start)
  if (quote === undefined) return asToken
  const mark = /\\[^]|["']/g
  mark.lastIndex = start + 1
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    if (found[0] === quote) return Math.max(asToken, mark.lastIndex)
  }
  return asToken
}

function endOfToken(text: string, start: number): number {
  const { value } = tokensOf(text, start).next()
  return start + (value?.text.length ?? 0)
}

function endAfter(text: string, delimiter: string, from: number): number {
  const end = text.indexOf(delimiter, from)
  return end === -1 ? text.length : end + delimiter.length
}

function matchAt(pattern: RegExp, text: string, start: number): readonly string[] {
  pattern.lastIndex = start
  return pattern.exec(text) ?? []
}
