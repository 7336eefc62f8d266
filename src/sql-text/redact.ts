import { HIDDEN, hideInSql } from './secrets-in-sql.ts'
import { hideInText } from './secrets-in-text.ts'

// The host name begins after the last @ before the path.
const IN_URL = /(:\/\/[^\s:/@]*:)[^\s/]*(?=@)/g

// Shorter passwords, and passwords that are also ordinary words, would make the output unreadable.
const LEAST_SECRET = 6
const known = new Set<string>()

/** Remembers the password of a connection, because it can appear anywhere, for example in a driver's error. */
export function learnPassword(connection: unknown): void {
  const { password, ...others } = partsOf(connection)
  const isSecret =
    password.length >= LEAST_SECRET && password !== 'password' && !Object.values(others).includes(password)
  if (isSecret) for (const written of [password, encodeURIComponent(password)]) known.add(written)
}

function partsOf(connection: unknown): { readonly password: string } & Readonly<Record<string, unknown>> {
  if (typeof connection === 'string' && URL.canParse(connection)) {
    const { password, username, hostname, pathname, searchParams } = new URL(connection)
    return {
      password: searchParams.get('password') ?? decoded(password),
      user: searchParams.get('user') ?? decoded(username),
      host: hostname,
      database: pathname.slice(1),
    }
  }
  const parts = typeof connection === 'object' && connection !== null ? connection : {}
  const { password } = parts as { readonly password?: unknown }
  return { ...parts, password: typeof password === 'string' ? password : '' }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Redacts the passwords in a text before it is printed: known ones, and those in SQL, URLs and connection strings. */
export function redact(text: string): string {
  const unknown = [...known].reduce((shown, secret) => shown.replaceAll(secret, HIDDEN), text)
  return redactNested(unknown, 0)
}

// The depth of SQL nested in SQL. Text that is quoted deeper than this is hidden entirely.
const DEEPEST = 5

// Escapes and line continuations can hide the word itself.
const MAY_HOLD_SECRET = /passw(?:or)?d|\\|u&["']|'[ \t]*[\r\n]/i

function redactNested(text: string, depth: number): string {
  const withoutUrls = text.replace(IN_URL, `$1${HIDDEN}`)
  if (!MAY_HOLD_SECRET.test(withoutUrls)) return withoutUrls
  if (depth > DEEPEST) return HIDDEN
  return hideInText(
    hideInSql(withoutUrls, (inner) => redactNested(inner, depth + 1)),
    HIDDEN,
  )
}

/** Redacts the passwords in every string of a value that will become JSON. */
export function redactAll(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? redact(part) : part)))
}
