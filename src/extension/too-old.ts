import { PgvectorMigrationError } from '../core/errors.ts'
import { literal } from '../core/sql.ts'
import { isAtLeast } from '../pgvector/version.ts'

/**
 * Returns SQL for whether a version is at least another one. Arrays of numbers compare as versions do. What follows the
 * numbers is a provider's suffix.
 */
export function isAtLeastSql(version: string, minimum: string): string {
  return `string_to_array(substring(${version} from '^([0-9]+([.][0-9]+)*)'), '.')::int[]
      >= string_to_array(${literal(minimum)}, '.')::int[]`
}

/**
 * Returns SQL for the version to which `ALTER EXTENSION vector UPDATE` leads, if the installed one is older than
 * `minimum`; null otherwise. Only then does it read the server's files, which takes several milliseconds.
 */
export function availableSql(installed: string, minimum: string): string {
  return `case when not (${isAtLeastSql(installed, minimum)}) then (
    select default_version from pg_available_extensions() where name = 'vector') end`
}

/** Returns the error for a feature that the installed version does not have. */
export function tooOld(installed: string, minimum: string, available: string | null): PgvectorMigrationError {
  const reached = available !== null && isAtLeast(available, minimum) ? available : null
  return new PgvectorMigrationError(
    'PGVECTOR_VERSION_TOO_LOW',
    { installed, minimum, available: reached },
    {
      hint:
        reached === null
          ? `Install pgvector ${minimum} or newer on the database server, then run: ALTER EXTENSION vector UPDATE;`
          : `The server has the files of ${reached}. As the owner of the extension: ALTER EXTENSION vector UPDATE;`,
    },
  )
}
