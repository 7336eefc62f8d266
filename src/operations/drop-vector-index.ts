import type { Knex } from 'knex'

import type { VectorType } from '../pgvector/vector-types.ts'
import type { IndexMethod, MethodFor } from '../pgvector/index-methods.ts'
import { IndexOperation } from './index-operation.ts'

/**
 * Drops an index on vectors beside those who use it; one of that name that is another one stays. `down` builds it again.
 *
 * @example new DropVectorIndex(embedding, { method: 'ivfflat', metric: 'l2', lists: 100 })
 */
export class DropVectorIndex<
  const Type extends VectorType,
  const Method extends IndexMethod & MethodFor<Type>,
> extends IndexOperation<Type, Method> {
  readonly description = `drop index ${this.index.name}`

  async up(knex: Knex): Promise<void> {
    await this.drop(knex, { onlyOurs: false })
  }

  async down(knex: Knex): Promise<void> {
    await this.build(knex)
  }
}
