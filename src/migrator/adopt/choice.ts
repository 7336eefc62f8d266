import { isPgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { doubtfulSql, readDistrust } from '../../database/table-trust.ts'
import { selectUp } from '../select.ts'
import type { AppliedMigration } from '../tracking.ts'
import { assertTrusted } from '../trust.ts'
import { resolveVersion } from '../files/versions.ts'

/** Which migrations are said to be there, and where that is written. */
export interface Choice {
  readonly names: readonly string[]
  readonly source: 'schema_migrations' | 'files'
  /** What the old table lists and no file has. */
  readonly unmatched: readonly string[]
}

/** Chooses what to adopt: up to a version, else what a table of another tool lists, else all that is pending. */
export async function choose(
  session: Session,
  all: readonly string[],
  applied: readonly AppliedMigration[],
  to: string | undefined,
): Promise<Choice> {
  const pending = selectUp(all, applied, { to })
  const listed = to === undefined ? await readOldTable(session) : null
  if (listed === null) return { names: pending, source: 'files', unmatched: [] }
  const found = listed.map((row) => ({ row, name: find(row.name, all) ?? find(row.version, all) }))
  const names = new Set(found.map(({ name }) => name))
  // Other tools keep tables of this name, with versions that are no numbers of these files.
  if (names.size === 1 && names.has(undefined)) return { names: pending, source: 'files', unmatched: [] }
  const unmatched = found.filter(({ name }) => name === undefined).map(({ row }) => row.name ?? row.version)
  return { names: pending.filter((name) => names.has(name)), source: 'schema_migrations', unmatched }
}

interface OldMigration {
  readonly version: string
  readonly name: string | null
}

async function readOldTable(session: Session): Promise<OldMigration[] | null> {
  const { columns, doubtful } = await session.ask<{ columns: readonly string[]; doubtful: readonly number[] }>(`
    select json_build_object('columns', (
        select coalesce(json_agg(attname), '[]') from pg_catalog.pg_attribute
        where attrelid = to_regclass('schema_migrations') and attnum > 0 and not attisdropped
      ), 'doubtful', ${doubtfulSql(["to_regclass('schema_migrations')"])}) as state`)
  // With `dirty` (golang-migrate) it is one row with the last version, and not a row for each.
  if (!columns.includes('version') || columns.includes('dirty')) return null
  assertTrusted(await readDistrust(session, doubtful))
  // Some tools write a name beside the version, and most do not.
  return session.askAsCaller<OldMigration[]>(`select coalesce(pg_catalog.json_agg(
      pg_catalog.json_build_object('version', version::pg_catalog.text,
        'name', pg_catalog.to_jsonb(old) operator(pg_catalog.->>) 'name')
      order by version), '[]') as state from schema_migrations as old`)
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
