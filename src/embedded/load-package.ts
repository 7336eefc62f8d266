import { PgvectorMigrationError } from '../core/errors.ts'

/** Loads an optional package, and explains how to install it if it is missing. */
export async function loadPackage<Module>(importIt: () => Promise<Module>, missing: string): Promise<Module> {
  try {
    return await importIt()
  } catch (error) {
    const code = String((error as { code?: unknown }).code)
    // jest's modules cannot import PGlite's without a flag of Node.
    if (code === 'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING_FLAG') {
      throw new PgvectorMigrationError('EMBEDDED_NEEDS_FLAG', { flag: '--experimental-vm-modules' }, { cause: error })
    }
    if (!/^(ERR_)?MODULE_NOT_FOUND$/.test(code)) throw error
    throw new PgvectorMigrationError('EMBEDDED_NOT_INSTALLED', { missing }, { cause: error })
  }
}
