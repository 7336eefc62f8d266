import { isPgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { doubtfulSql, readDistrust } from '../../database/table-trust.ts'
import { selectUp } from '../select.ts'
import type { AppliedMigration } from '../tracking.ts'
import { assertTrusted } from '../trust.ts'
import { resolveVersion } from '../files/versions.ts'

/** The migrations that are assumed to be applied, and the source of that assumption. */
export interface Choice {
  readonly names: readonly string[]
  readonly source: 'schema_migrations' | 'files'
  /** Versions that the old table lists and no file has. */
  readonly unmatched: readonly string[]
}

/** Chooses what to adopt: up to a version, else what another tool's table lists, else everything pending. */
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
  // Other tools have tables of this name, with versions that are not numbers of these files.
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
  // A table with `dirty` (golang-migrate) has a single row for the last version, not one row per version.
  if (!columns.includes('version') || columns.includes('dirty')) return null
  assertTrusted(await readDistrust(session, doubtful))
  // Some tools store a name with the version; most do not.
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
