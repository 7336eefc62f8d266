const SECRETS = [
  // in a URL: the host begins after the last @ before the path
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s/]*(?=@)/gi,
  // in a connection string or an object, and in SQL
  /(\bpassword["']?\s*[:=]\s*)(?:'[^']*'|"[^"]*"|[^\s,;}]+)/gi,
  /(\bpassword\s+)E?'(?:[^']|'')*'/gi,
  /(\bpassword\s+)(\$\w*\$)[^]*?\2/gi,
] as const

/** Takes passwords out of a text before it is shown. */
export function redact(text: string): string {
  return SECRETS.reduce((shown, secret) => shown.replace(secret, '$1***'), text)
}

/** Takes passwords out of every text in a value that is to become JSON. */
export function redactAll(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? redact(part) : part)))
}
