import { PgvectorMigrationError } from '../core/errors.ts'
import { reasonOf, type Distrust } from '../database/table-trust.ts'

/**
 * Refuses to rely on tables that are not trusted, or to write to them.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED
 */
export function assertTrusted(distrusted: readonly Distrust[]): void {
  const [first] = distrusted
  if (first !== undefined) throw notTrusted(first)
}

/** Returns the error for a table that is not trusted. */
export function notTrusted({ table, reasons, remedies }: Distrust): PgvectorMigrationError<'TABLE_NOT_TRUSTED'> {
  return new PgvectorMigrationError('TABLE_NOT_TRUSTED', { table, reasons, remedies })
}

/**
 * Refuses to read tables if even a query could run another role's code.
 *
 * @throws {PgvectorMigrationError} TABLE_NOT_TRUSTED
 */
export function assertReadable(distrusted: readonly Distrust[]): void {
  assertTrusted(distrusted.filter(({ isUnsafeToRead }) => isUnsafeToRead))
}

/** Returns the warnings for such tables after they were only read. */
export function trustWarnings(distrusted: readonly Distrust[]): string[] {
  return distrusted.map(
    (each) =>
      `${each.table} is not trusted, because ${reasonOf(each)}. ` +
      `What it contains is ${each.isUnsafeToRead ? 'not read' : 'shown, and may be forged'}. Check it, then as a superuser: ${each.remedies.join(' ')}`,
  )
}

/** Returns the warning of a run that is not recorded. */
export function unnotedWarning(distrust: Distrust): string {
  const { table, remedies } = distrust
  return (
    `${table} is not trusted, because ${reasonOf(distrust)}. It is neither read nor written: this run is not recorded, and if ` +
    `it crashes, only unlock --force frees its lock. Check what it contains, then as a superuser: ${remedies.join(' ')}`
  )
}
