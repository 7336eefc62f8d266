import type { Knex } from 'knex'

import type { VectorType } from '../pgvector/vector-types.ts'
import type { IndexMethod, MethodFor } from '../pgvector/index-methods.ts'
import { IndexOperation } from './index-operation.ts'

/**
 * Builds an index on vectors beside those who write, outside a transaction; `down` drops it where `up` built it.
 *
 * @example new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }, { maxMemory: '4GB' })
 * @example new CreateVectorIndex(vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }))
 */
export class CreateVectorIndex<
  const Type extends VectorType,
  const Method extends IndexMethod & MethodFor<Type>,
> extends IndexOperation<Type, Method> {
  readonly description = `build index ${this.index.name}`
  // An index can be dropped in a transaction, where blocking others for a moment is acceptable.
  readonly downInTransaction = true

  async up(knex: Knex): Promise<void> {
    await this.build(knex)
  }

  async down(knex: Knex): Promise<void> {
    await this.drop(knex, { onlyOurs: true })
  }
}
