import type { Knex } from 'knex'

import { onlyOursOption } from '../core/options.ts'
import { lazySchema } from '../core/parse-options.ts'
import type { VectorType } from '../pgvector/vector-types.ts'
import type { IndexMethod, MethodFor } from '../pgvector/index-methods.ts'
import {
  IndexOperation,
  indexOperationOptions,
  type IndexArguments,
  type IndexOperationOptions,
} from './index-operation.ts'

/** How a migration drops an index, and how its rollback builds the index again. */
export interface DropIndexOperationOptions extends IndexOperationOptions {
  /** Keep an index that this library's log does not show as built by it; default true. */
  readonly onlyOurs?: boolean | undefined
}

const dropOperationOptions = lazySchema(() => indexOperationOptions().extend({ onlyOurs: onlyOursOption() }))

/**
 * Drops a vector index without blocking reads or writes. An index that this library did not build is kept, unless
 * `onlyOurs` is false. An index of that name with another definition is always kept.
 *
 * `down` builds the index again.
 *
 * @example new DropVectorIndex(embedding, { method: 'ivfflat', metric: 'l2', lists: 100 })
 */
export class DropVectorIndex<
  const Type extends VectorType,
  const Method extends IndexMethod & MethodFor<Type>,
> extends IndexOperation<Type, Method, DropIndexOperationOptions> {
  readonly description = `drop index ${this.index.name}`

  constructor(...given: IndexArguments<Type, Method, DropIndexOperationOptions>) {
    super(given, dropOperationOptions)
  }

  async up(knex: Knex): Promise<void> {
    await this.drop(knex, this.options.onlyOurs)
  }

  async down(knex: Knex): Promise<void> {
    const { onlyOurs: _, ...options } = this.options
    await this.build(knex, options)
  }
}
