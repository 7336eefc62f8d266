import type { Knex } from 'knex'

import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { assertEmbedding, embeddingLabel, type Embedding } from '../embeddings/embedding.ts'
import { removeInStep } from '../embeddings/remove.ts'
import { setUpInStep } from '../embeddings/set-up.ts'
import { setUpOptions, type SetUpInStepOptions } from '../embeddings/set-up-options.ts'
import type { Operation } from './operation.ts'

/** How a migration keeps a column in step. */
export interface KeepInStepOperationOptions extends SetUpInStepOptions {
  /**
   * Run in the migration's transaction; default false. The index of rows without a vector then blocks writes while it is
   * built. By default the migration runs outside a transaction, and the index is built without blocking writes.
   */
  readonly transaction?: boolean | undefined
}

const operationOptions = lazySchema((z) =>
  setUpOptions().extend({ transaction: z.boolean('must be true or false').default(false) }),
)

/**
 * Keeps the vectors of a column in step with their rows: a trigger marks a row whenever what its vector is made of
 * changes, and a worker (`keepInStep`) makes the vector again. `down` removes exactly what `up` created.
 *
 * @example new KeepInStep(embedding('articles', { column: small, from: ['title', 'body'], model: 'small-3' }))
 */
export class KeepInStep implements Operation {
  readonly description: string
  readonly transaction: boolean
  // Everything is dropped in one brief step.
  readonly downInTransaction = true
  readonly #embedding: Embedding
  readonly #options: SetUpInStepOptions

  /** @param options those of {@link setUpInStep}, and `transaction` */
  constructor(embedding: Embedding, options: KeepInStepOperationOptions = {}) {
    assertEmbedding(embedding)
    parseOptions(operationOptions, options)
    const { transaction = false, ...rest } = options
    this.description = `keep ${embeddingLabel(embedding)} in step`
    this.transaction = transaction
    this.#embedding = embedding
    this.#options = rest
  }

  async up(knex: Knex): Promise<void> {
    await setUpInStep(knex, this.#embedding, this.#options)
  }

  async down(knex: Knex): Promise<void> {
    const { notify: _, ...options } = this.#options
    await removeInStep(knex, this.#embedding, { ...options, onlyOurs: true })
  }
}
