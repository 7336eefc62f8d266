const SECRETS = [
  // in a URL: the host begins after the last @ before the path
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s/]*(?=@)/gi,
  // in a connection string or an object, and in SQL
  /(\bpassword["']?\s*[:=]\s*)(?:'[^']*'|"[^"]*"|[^\s,;}]+)/gi,
  /(\bpassword\s+)E?'(?:[^']|'')*'/gi,
  /(\bpassword\s+)(\$\w*\$)[^]*?\2/gi,
] as const

// Shorter ones, and those that are other words too, would make what is shown unreadable.
const LEAST_SECRET = 6
const known = new Set<string>()

/** Learns the password of a connection, which may turn up anywhere: in an error of a driver, say. */
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

/** Takes passwords out of a text before it is shown. */
export function redact(text: string): string {
  const without = [...known].reduce((shown, secret) => shown.replaceAll(secret, '***'), text)
  return SECRETS.reduce((shown, secret) => shown.replace(secret, '$1***'), without)
}

/** Takes passwords out of every text in a value that is to become JSON. */
export function redactAll(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? redact(part) : part)))
}
