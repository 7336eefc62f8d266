import type { Knex } from 'knex'

import type { VectorType } from '../extension/limits.ts'
import { buildIndex } from '../vectors/build-index.ts'
import type { IndexMethod, MethodFor } from '../vectors/capabilities.ts'
import { dropIndex } from '../vectors/drop-index.ts'
import { indexOperation, type IndexArguments, type IndexOperation } from './index-arguments.ts'
import type { Operation } from './operation.ts'

/**
 * Builds an index on vectors beside those who write, outside a transaction; `down` drops it where `up` built it.
 *
 * @example new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }, { maxMemory: '4GB' })
 * @example new CreateVectorIndex(vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }))
 */
export class CreateVectorIndex<
  const Type extends VectorType,
  const Method extends IndexMethod & MethodFor<Type>,
> implements Operation {
  readonly description: string
  readonly transaction: boolean
  readonly #operation: IndexOperation

  constructor(...given: IndexArguments<Type, Method>) {
    this.#operation = indexOperation(given)
    this.description = `build index ${this.#operation.index.name}`
    this.transaction = this.#operation.transaction
  }

  async up(knex: Knex): Promise<void> {
    const { index, build } = this.#operation
    await buildIndex(knex, index, build)
  }

  async down(knex: Knex): Promise<void> {
    const { index, build } = this.#operation
    const { lockTimeout, wait, onEvent, logger, log } = build
    await dropIndex(knex, index, { lockTimeout, wait, onEvent, logger, log, onlyOurs: true })
  }
}
