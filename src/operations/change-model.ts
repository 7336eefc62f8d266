import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { parseOptions } from '../core/parse-options.ts'
import { currentTarget } from '../database/target.ts'
import { embeddingLabel } from '../embeddings/embedding.ts'
import { isModelChange, type ModelChange } from '../model-change/change-model.ts'
import { stepOptions, type ModelStepOptions } from '../model-change/change-options.ts'
import type { Operation } from './operation.ts'

/**
 * Begins a change of model: adds the new column with what keeps it in step. No vector is made, and searches stay as they
 * are. `npx knex-pgvector model advance`, `switch` and `contract` do the rest while the application runs.
 *
 * On an empty table, as in a new database, it also builds the index and switches. `down` returns to the state before, as
 * long as the old column exists.
 *
 * @example new ChangeModel(changeModel(articles, { to: { column: large, model: 'large-3' } }))
 */
export class ChangeModel implements Operation {
  readonly description: string
  // Indexes are built and dropped without blocking writes.
  readonly transaction = false
  readonly #change: ModelChange
  readonly #options: ModelStepOptions

  constructor(change: ModelChange, options: ModelStepOptions = {}) {
    if (!isModelChange(change)) {
      throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: ['change: must be created by changeModel'] })
    }
    parseOptions(stepOptions, options)
    this.description = `change the model of ${embeddingLabel(change.from)} to ${change.to.model}`
    this.#change = change
    this.#options = options
  }

  async up(knex: Knex): Promise<void> {
    const { rows } = await this.#change.advance(knex, { ...this.#options, until: 'expand' })
    // A plan runs on an empty copy of a table that has rows.
    if (rows?.missing !== 0 || currentTarget() !== null) return
    const { phase } = await this.#change.advance(knex, this.#options)
    if (phase === 'switch') await this.#change.switch(knex, this.#options)
  }

  async down(knex: Knex): Promise<void> {
    await this.#change.back(knex, { ...this.#options, to: 'expand' })
  }
}
