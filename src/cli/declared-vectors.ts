import { resolve } from 'node:path'

import { PgvectorMigrationError } from '../core/errors.ts'
import { isVectorColumn, type VectorColumn } from '../columns/column.ts'
import type { DeclaredVectors } from '../diff/diff.ts'
import { isEmbedding, type Embedding } from '../embeddings/embedding.ts'
import { isVectorIndex, type VectorIndex } from '../indexes/vector-index.ts'
import { loadModule } from './load-module.ts'

/** The columns, indexes and embeddings that a module exports: alone, in lists or in objects. */
export async function declaredVectors(
  path: string,
): Promise<Required<DeclaredVectors> & { readonly embeddings: readonly Embedding[] }> {
  const file = resolve(path)
  const declared = { columns: [] as VectorColumn[], indexes: [] as VectorIndex[], embeddings: [] as Embedding[] }
  collect(await loadModule('--declared', path), declared)
  if (declared.columns.length + declared.indexes.length + declared.embeddings.length > 0) return declared
  throw invalid(`${file} exports nothing that vectorColumn, vectorIndex or embedding made`)
}

interface Found {
  readonly columns: VectorColumn[]
  readonly indexes: VectorIndex[]
  readonly embeddings: Embedding[]
}

function collect(value: unknown, found: Found): void {
  if (typeof value !== 'object' || value === null) return
  if (isEmbedding(value)) found.embeddings.push(value)
  else if (isVectorIndex(value)) found.indexes.push(value)
  else if (isVectorColumn(value)) found.columns.push(value)
  else for (const inside of Object.values(value)) collect(inside, found)
}

function invalid(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [`--declared: ${problem}`] })
}
