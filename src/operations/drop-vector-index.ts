import type { Knex } from 'knex'

import type { VectorType } from '../extension/limits.ts'
import { buildIndex } from '../vectors/build-index.ts'
import type { IndexMethod, MethodFor } from '../vectors/capabilities.ts'
import { dropIndex } from '../vectors/drop-index.ts'
import { indexOperation, type IndexArguments, type IndexOperation } from './index-arguments.ts'
import type { Operation } from './operation.ts'

/**
 * Drops an index on vectors beside those who use it; one of that name that is another one stays. `down` builds it again.
 *
 * @example new DropVectorIndex(embedding, { method: 'ivfflat', metric: 'l2', lists: 100 })
 */
export class DropVectorIndex<
  const Type extends VectorType,
  const Method extends IndexMethod & MethodFor<Type>,
> implements Operation {
  readonly description: string
  readonly transaction: boolean
  readonly #operation: IndexOperation

  constructor(...given: IndexArguments<Type, Method>) {
    this.#operation = indexOperation(given)
    this.description = `drop index ${this.#operation.index.name}`
    this.transaction = this.#operation.transaction
  }

  async up(knex: Knex): Promise<void> {
    const { index, build } = this.#operation
    const { lockTimeout, wait, onEvent, logger, log } = build
    await dropIndex(knex, index, { lockTimeout, wait, onEvent, logger, log })
  }

  async down(knex: Knex): Promise<void> {
    const { index, build } = this.#operation
    await buildIndex(knex, index, build)
  }
}
