import type * as PgQuery from 'libpg-query'

import { PgvectorMigrationError } from '../core/errors.ts'

/** Parses one statement as PostgreSQL does, or returns why it cannot. */
export type Parser = (sql: string) => PgQuery.Node | { readonly problem: string }

/**
 * Loads PostgreSQL's own parser, which is WebAssembly and needs no compiler.
 *
 * @throws {PgvectorMigrationError} PARSER_NOT_INSTALLED without its optional package.
 */
export async function loadParser(): Promise<Parser> {
  const { loadModule, parseSync } = await importParser()
  await loadModule()
  return (sql) => {
    try {
      const [statement] = parseSync(sql).stmts ?? []
      return statement?.stmt ?? { problem: 'there is no statement in it' }
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error) }
    }
  }
}

async function importParser(): Promise<typeof PgQuery> {
  try {
    return await import('libpg-query')
  } catch (error) {
    const code = String((error as { readonly code?: unknown } | null)?.code)
    if (!/^(ERR_)?MODULE_NOT_FOUND$/.test(code)) throw error
    throw new PgvectorMigrationError('PARSER_NOT_INSTALLED', { missing: 'libpg-query' }, { cause: error })
  }
}
