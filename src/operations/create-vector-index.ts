import type { Knex } from 'knex'

import type { VectorType } from '../pgvector/vector-types.ts'
import type { IndexMethod, MethodFor } from '../pgvector/index-methods.ts'
import {
  IndexOperation,
  indexOperationOptions,
  type IndexArguments,
  type IndexOperationOptions,
} from './index-operation.ts'

/**
 * Builds a vector index outside a transaction, without blocking writes. `down` drops the index if `up` built it.
 *
 * @example new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }, { maxMemory: '4GB' })
 * @example new CreateVectorIndex(vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }))
 */
export class CreateVectorIndex<
  const Type extends VectorType,
  const Method extends IndexMethod & MethodFor<Type>,
> extends IndexOperation<Type, Method, IndexOperationOptions> {
  readonly description = `build index ${this.index.name}`
  // An index can be dropped in a transaction if blocking other sessions for a moment is acceptable.
  readonly downInTransaction = true

  constructor(...given: IndexArguments<Type, Method>) {
    super(given, indexOperationOptions)
  }

  async up(knex: Knex): Promise<void> {
    await this.build(knex, this.options)
  }

  async down(knex: Knex): Promise<void> {
    await this.drop(knex, true)
  }
}
