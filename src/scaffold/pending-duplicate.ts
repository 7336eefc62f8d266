import { readFile } from 'node:fs/promises'

import type { VectorDifference } from '../diff/difference.ts'
import { composeFrom } from './from-diff.ts'

/** A migration file, and where it is. */
export interface MigrationFile {
  readonly name: string
  readonly path: string
}

/** The first of the files that declares and creates what a migration generated from these differences would, if any. */
export async function findDuplicate<File extends MigrationFile>(
  differences: readonly VectorDifference[],
  files: readonly File[],
): Promise<File | null> {
  const { constants, operations } = composeFrom(differences)
  // pgvector may be enabled by any number of migrations.
  const created = operations.filter((operation) => operation !== 'new EnablePgvector()')
  if (created.length === 0) return null
  for (const file of files) {
    const text = withoutStyle(await readFile(file.path, 'utf8'))
    const has = (code: string): boolean => text.includes(withoutStyle(code))
    if (created.some(has) && constants.some(has)) return file
  }
  return null
}

// A formatter may have been at work.
function withoutStyle(code: string): string {
  return code.replaceAll(/["'`]/g, "'").replaceAll(/[\s;]|,(?=\s*[)\]}])/g, '')
}
