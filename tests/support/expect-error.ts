/** Runs what must fail with this code, and returns the error for a closer look. */
export async function expectError<Code extends ErrorCode>(
  code: Code,
  run: () => unknown,
): Promise<PgvectorMigrationError<Code>> {
  try {
    await run()
  } catch (error) {
    if (isPgvectorMigrationError(error, code)) return error
    throw error
  }
  throw new Error(`expected an error with the code ${code}, and nothing failed`)
}
import { type ErrorCode, isPgvectorMigrationError, type PgvectorMigrationError } from '../../src/index.ts'
