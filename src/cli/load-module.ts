import { resolve } from 'node:path'

import { PgvectorMigrationError } from '../core/errors.ts'
import { isUnreadable, loadNatively, loadWithJiti, type LoadedModule } from '../migrator/files/load.ts'
import { loadProblem } from '../migrator/files/load-problem.ts'

/** Loads the module that a flag names, in JavaScript or TypeScript. */
export async function loadModule(flag: string, path: string): Promise<LoadedModule> {
  const file = resolve(path)
  try {
    if (!file.endsWith('js')) return await loadWithJiti(file)
    return await loadNatively(file).catch((error: unknown) => {
      if (isUnreadable(error)) return loadWithJiti(file)
      throw error
    })
  } catch (error) {
    const { problem, path: place = file, line, hint } = loadProblem(error, file)
    const details = {
      problems: [`${flag}: ${file} cannot be loaded: ${problem} (${place}${line === null ? '' : `:${line}`})`],
    }
    throw new PgvectorMigrationError('INVALID_OPTIONS', details, { cause: error, hint })
  }
}
