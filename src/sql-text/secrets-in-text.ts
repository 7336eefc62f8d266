import { tokensOf } from './tokens.ts'

// A key and its assignment sign. The word password_encryption is not such a key, and password::text is not an
// assignment.
const KEY = /password(?<quote>\\*["'])?[ \t\r\n]*(?<sign>:=|=>|=|:(?!:)|,(?=[ \t\r\n]*\\*'))?[ \t\r\n]*/gi

/**
 * Hides what follows the word password in any kind of text: a connection string, an object, JSON, or SQL embedded in
 * prose, where apostrophes are not paired.
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

/**
 * Returns where the secret ends that begins at `start`, after that assignment sign; returns `start` if there is no
 * secret.
 */
export function endOfSecret(text: string, start: number, sign: string): number {
  const [delimiter] = matchAt(/\\+["']|(?:'')+(?![\s;,)\]}'"]|$)/y, text, start)
  if (delimiter !== undefined) return endAfter(text, delimiter, start + delimiter.length)
  const isQuoted = matchAt(sign === '' ? /(?:[eE]|[uU]&)?'|\$\w*\$/y : /(?:[eE]|[uU]&)?'|\$\w*\$|"/y, text, start)
  if (isQuoted.length > 0) return sign === '' ? endOfToken(text, start) : endOfQuotedValue(text, start)
  // In a connection string, the value extends to the next space. After a colon, it is a part of an object.
  const [value = ''] =
    sign === '' || sign === ',' ? [] : matchAt(sign === ':' ? /[^\s,;}]+/y : /(?:\\\s|\S)+/y, text, start)
  return start + value.length
}

/**
 * Returns where a quoted value ends. A backslash escapes a quote in connection strings and in JSON, but not in SQL. If
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
