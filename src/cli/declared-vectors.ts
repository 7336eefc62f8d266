import { resolve } from 'node:path'

import { PgvectorMigrationError } from '../core/errors.ts'
import { isVectorColumn, type VectorColumn } from '../columns/column.ts'
import type { DeclaredVectors } from '../diff/diff.ts'
import { embeddingLabel, isEmbedding, type Embedding } from '../embeddings/embedding.ts'
import { isTenantRule, type TenantRule } from '../indexes/tenants/rule.ts'
import { isVectorIndex, type VectorIndex } from '../indexes/vector-index.ts'
import { isModelChange } from '../model-change/change-model.ts'
import { loadModule } from './load-module.ts'

/** The columns, indexes, embeddings and rules for tenants that a module exports: alone, in lists or in objects. */
export async function declaredVectors(path: string): Promise<DeclaredVectors & Pick<Found, 'embeddings' | 'tenants'>> {
  const { columns, indexes, embeddings, tenants } = await findIn(path)
  return { columns, indexes, embeddings, tenants }
}

/** The embeddings that a module exports, with the targets of changes of model, whose columns may not exist yet. */
export async function declaredEmbeddings(path: string): Promise<Pick<Found, 'embeddings' | 'targets'>> {
  return findIn(path)
}

async function findIn(path: string): Promise<Found> {
  const file = resolve(path)
  const declared: Found = { columns: [], indexes: [], embeddings: [], targets: [], tenants: [] }
  collect(await loadModule('--declared', path), declared)
  if (Object.values(declared).some(({ length }) => length > 0)) return declared
  throw invalid(`${file} exports nothing that vectorColumn, vectorIndex, tenantRule or embedding made`)
}

interface Found {
  readonly columns: VectorColumn[]
  readonly indexes: VectorIndex[]
  readonly embeddings: Embedding[]
  /** They are among the embeddings. */
  readonly targets: Embedding[]
  readonly tenants: TenantRule[]
}

function collect(value: unknown, found: Found): void {
  if (typeof value !== 'object' || value === null) return
  if (isModelChange(value)) addEmbedding(value.to, found.targets)
  if (isEmbedding(value)) addEmbedding(value, found.embeddings)
  else if (isTenantRule(value)) found.tenants.push(value)
  else if (isVectorIndex(value)) found.indexes.push(value)
  else if (isVectorColumn(value)) found.columns.push(value)
  else for (const inside of Object.values(value)) collect(inside, found)
}

// A change of model contains the embedding that it changes, which is often exported by itself too.
function addEmbedding(embedding: Embedding, found: Embedding[]): void {
  const place = found.findIndex(
    (each) => embeddingLabel(each) === embeddingLabel(embedding) && each.model === embedding.model,
  )
  if (place === -1) found.push(embedding)
  else if (found[place]?.embed === null) found[place] = embedding
}

function invalid(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [`--declared: ${problem}`] })
}
