const statements = new WeakMap<object, string>()

/** Remembers which statement an error belongs to: Knex writes it before the server's message, and cannot be undone. */
export function rememberStatement(error: unknown, sql: string): void {
  if (typeof error === 'object' && error !== null) statements.set(error, sql)
}

/** The statement that an error belongs to, where it is known. */
export function statementOf(error: object): string | undefined {
  return statements.get(error)
}
