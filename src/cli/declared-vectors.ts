import { resolve } from 'node:path'

import { PgvectorMigrationError } from '../core/errors.ts'
import { isVectorColumn, type VectorColumn } from '../columns/column.ts'
import type { DeclaredVectors } from '../diff/diff.ts'
import { isVectorIndex, type VectorIndex } from '../indexes/vector-index.ts'
import { loadModule } from './load-module.ts'

/** The columns and indexes that a module exports: by themselves, in lists or in objects. */
export async function declaredVectors(path: string): Promise<DeclaredVectors> {
  const file = resolve(path)
  const declared = { columns: [] as VectorColumn[], indexes: [] as VectorIndex[] }
  collect(await loadModule('--declared', path), declared)
  if (declared.columns.length + declared.indexes.length > 0) return declared
  throw invalid(`${file} exports nothing that vectorColumn or vectorIndex made`)
}

function collect(value: unknown, found: { readonly columns: VectorColumn[]; readonly indexes: VectorIndex[] }): void {
  if (typeof value !== 'object' || value === null) return
  if (isVectorIndex(value)) found.indexes.push(value)
  else if (isVectorColumn(value)) found.columns.push(value)
  else for (const inside of Object.values(value)) collect(inside, found)
}

function invalid(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [`--declared: ${problem}`] })
}
