import { isPgvectorMigrationError } from '../errors.ts'
import { ask, type Database } from '../queryable.ts'
import { selectUp } from './select.ts'
import type { AppliedMigration } from './tracking.ts'
import { resolveVersion } from './versions.ts'

/** Which migrations are said to be there, and where that is written. */
export interface Choice {
  readonly names: readonly string[]
  readonly source: 'schema_migrations' | 'files'
  /** What the old table lists and no file has. */
  readonly unmatched: readonly string[]
}

/** Chooses what to adopt: up to a version, else what a table of another tool lists, else all that is pending. */
export async function choose(
  db: Database,
  all: readonly string[],
  applied: readonly AppliedMigration[],
  to: string | undefined,
): Promise<Choice> {
  const pending = selectUp(all, applied, { to })
  const listed = to === undefined ? await readOldTable(db) : null
  if (listed === null) return { names: pending, source: 'files', unmatched: [] }
  const found = listed.map((row) => ({ row, name: find(row.name, all) ?? find(row.version, all) }))
  const names = new Set(found.map(({ name }) => name))
  const unmatched = found.filter(({ name }) => name === undefined).map(({ row }) => row.name ?? row.version)
  return { names: pending.filter((name) => names.has(name)), source: 'schema_migrations', unmatched }
}

interface OldMigration {
  readonly version: string
  readonly name: string | null
}

// Other tools have tables of this name too; only one that names each migration can be taken at its word.
async function readOldTable(db: Database): Promise<OldMigration[] | null> {
  const isOurs = await ask<boolean>(
    db,
    `select to_json(count(*) = 2) as state from pg_catalog.pg_attribute
    where attrelid = to_regclass('schema_migrations') and attname in ('version', 'name') and not attisdropped`,
  )
  if (!isOurs) return null
  return ask<OldMigration[]>(
    db,
    `select coalesce(json_agg(json_build_object('version', version::text, 'name', name::text) order by version), '[]')
      as state from schema_migrations`,
  )
}

function find(text: string | null, all: readonly string[]): string | undefined {
  if (text === null) return undefined
  try {
    return resolveVersion(text, all)
  } catch (error) {
    if (isPgvectorMigrationError(error, 'MIGRATION_NOT_FOUND')) return undefined
    throw error
  }
}
