import { PgvectorMigrationError } from '../errors.ts'

/** Loads an optional package, and says how to get it where it is not there. */
export async function loadPackage<Module>(importIt: () => Promise<Module>, missing: string): Promise<Module> {
  try {
    return await importIt()
  } catch (error) {
    if (!/^(ERR_)?MODULE_NOT_FOUND$/.test(String((error as { code?: unknown }).code))) throw error
    throw new PgvectorMigrationError('EMBEDDED_NOT_INSTALLED', { missing }, { cause: error })
  }
}
