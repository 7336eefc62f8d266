import { PgvectorMigrationError } from '../core/errors.ts'
import { reasonOf, type Distrust } from '../database/table-trust.ts'

/**
 * Refuses to decide by tables that are not trusted, or to write them.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED
 */
export function assertTrusted(distrusted: readonly Distrust[]): void {
  const [first] = distrusted
  if (first !== undefined) throw notTrusted(first)
}

/** The error of a table that is not trusted. */
export function notTrusted({ table, reasons, remedies }: Distrust): PgvectorMigrationError<'TABLE_NOT_TRUSTED'> {
  return new PgvectorMigrationError('TABLE_NOT_TRUSTED', { table, reasons, remedies })
}

/**
 * Refuses to read tables of which even a query could run code of another role.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED
 */
export function assertReadable(distrusted: readonly Distrust[]): void {
  assertTrusted(distrusted.filter(({ isUnsafeToRead }) => isUnsafeToRead))
}

/** What to warn of where such tables were only read. */
export function trustWarnings(distrusted: readonly Distrust[]): string[] {
  return distrusted.map(
    (each) =>
      `${each.table} is not trusted, because ${reasonOf(each)}. ` +
      `What it contains is ${each.isUnsafeToRead ? 'not read' : 'shown, and may be forged'}. Check it, then as a superuser: ${each.remedies.join(' ')}`,
  )
}
