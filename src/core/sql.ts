// The only file that quotes. Its output never contains a question mark, because Knex's raw API would treat it as a
// binding. Knex also cannot send a backslash that precedes one.

/**
 * Quotes an identifier for PostgreSQL. It always quotes, so mixed case, dots and keywords are preserved.
 *
 * @example identifier('My "table"') // '"My ""table"""'
 */
export function identifier(name: string): string {
  const quoted = `"${name.replaceAll('"', '""')}"`
  return name.includes('?') ? `U&${quoted.replaceAll('\\', '\\\\').replaceAll('?', '\\003F')}` : quoted
}

/** Returns the schemas of a search path, quoted, as SET takes them. */
export function schemaList(schemas: readonly string[]): string {
  return schemas.map(identifier).join(', ')
}

/**
 * Returns the condition that a schema has this name, or matches it as a LIKE pattern if it contains a percent sign. It is
 * for queries whose names resolve in pg_catalog.
 */
export function isInSchema(column: string, schema: string | undefined): string {
  if (schema === undefined) return 'true'
  return `coalesce(${column}, '') ${schema.includes('%') ? 'like' : '='} ${literal(schema)}`
}

/** Returns an object's quoted name with its schema. */
export function qualified(schema: string, name: string): string {
  return `${identifier(schema)}.${identifier(name)}`
}

/**
 * Returns SQL for the relation of that name as a regclass, or null if there is none. Without a schema, the search path
 * resolves the name.
 *
 * @example toRegclass('"public"."documents"') // `pg_catalog.to_regclass('"public"."documents"')`
 */
export function toRegclass(name: string): string {
  return `pg_catalog.to_regclass(${literal(withoutEscapes(name))})`
}

/**
 * Rewrites a quoted name for to_regclass, which does not read the escapes that {@link identifier} needs for question
 * marks.
 */
export function withoutEscapes(name: string): string {
  return name.replaceAll(/(U&)?"((?:[^"]|"")*)"/g, (quoted: string, escaped: string | undefined, text: string) =>
    escaped === undefined
      ? quoted
      : `"${text.replaceAll(/\\(\\|003F)/g, (_, code) => (code === '003F' ? '?' : '\\'))}"`,
  )
}

/** Returns an identifier as PostgreSQL prints it, without its quotes. */
export function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text
}

/**
 * Rewrites a name that PostgreSQL printed, with or without its schema, into a form that Knex's raw API leaves alone.
 *
 * @example sendable('public."why?"') // 'public.U&"why\\003F"'
 */
export function sendable(printed: string): string {
  return printed.replaceAll(/"(?:[^"]|"")*"/g, (part) => identifier(unquoted(part)))
}

/**
 * Quotes a string for PostgreSQL, whatever the value of standard_conforming_strings.
 *
 * @example literal("it's") // "'it''s'"
 */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return /[\\?]/.test(text) ? `E${quoted.replaceAll('\\', '\\\\').replaceAll('?', '\\x3F')}` : quoted
}

/** Like {@link literal}, but null becomes the SQL null. */
export function nullable(text: string | null): string {
  return text === null ? 'null' : literal(text)
}

/** Returns a value as a jsonb literal. */
export function json(value: unknown): string {
  return `${literal(JSON.stringify(value))}::pg_catalog.jsonb`
}
