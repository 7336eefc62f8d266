// The only file that quotes. Nothing here ever emits a question mark: Knex's raw API would take it for a binding,
// and cannot send a backslash that stands before one at all.

/**
 * Quotes an identifier for PostgreSQL, always: mixed case, dots and keywords survive.
 *
 * @example identifier('My "table"') // '"My ""table"""'
 */
export function identifier(name: string): string {
  const quoted = `"${name.replaceAll('"', '""')}"`
  return name.includes('?') ? `U&${quoted.replaceAll('\\', '\\\\').replaceAll('?', '\\003F')}` : quoted
}

/** An object's name with its schema. */
export function qualified(schema: string, name: string): string {
  return `${identifier(schema)}.${identifier(name)}`
}

/**
 * The relation of a name in SQL, by its number; null where there is none. Without a schema it is the one that the search
 * path finds.
 *
 * @example toRegclass('"public"."documents"') // `pg_catalog.to_regclass('"public"."documents"')`
 */
export function toRegclass(name: string): string {
  return `pg_catalog.to_regclass(${literal(withoutEscapes(name))})`
}

/** A quoted name as to_regclass reads it: not in the form with escapes, which {@link identifier} needs for question marks. */
export function withoutEscapes(name: string): string {
  return name.replaceAll(/(U&)?"((?:[^"]|"")*)"/g, (quoted: string, escaped: string | undefined, text: string) =>
    escaped === undefined
      ? quoted
      : `"${text.replaceAll(/\\(\\|003F)/g, (_, code) => (code === '003F' ? '?' : '\\'))}"`,
  )
}

/** An identifier as PostgreSQL prints it, without its quotes. */
export function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text
}

/**
 * A name as PostgreSQL prints it, with or without its schema, in a form that Knex's raw API leaves alone.
 *
 * @example sendable('public."why?"') // 'public.U&"why\\003F"'
 */
export function sendable(printed: string): string {
  return printed.replaceAll(/"(?:[^"]|"")*"/g, (part) => identifier(unquoted(part)))
}

/**
 * Quotes a string for PostgreSQL, whatever standard_conforming_strings is.
 *
 * @example literal("it's") // "'it''s'"
 */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return /[\\?]/.test(text) ? `E${quoted.replaceAll('\\', '\\\\').replaceAll('?', '\\x3F')}` : quoted
}

/** Like {@link literal}, with null for null. */
export function nullable(text: string | null): string {
  return text === null ? 'null' : literal(text)
}

/** A value as a jsonb literal. */
export function json(value: unknown): string {
  return `${literal(JSON.stringify(value))}::pg_catalog.jsonb`
}
