import { PgvectorMigrationError } from '../errors.ts'

/** What a run ends with when its signal comes; the reason of the signal is the name of it. */
export function interrupted(
  migration: string | null,
  signal: AbortSignal,
  cause?: unknown,
): PgvectorMigrationError<'MIGRATION_INTERRUPTED'> {
  const name = typeof signal.reason === 'string' ? signal.reason : 'the caller'
  return new PgvectorMigrationError('MIGRATION_INTERRUPTED', { migration, signal: name }, { cause })
}
