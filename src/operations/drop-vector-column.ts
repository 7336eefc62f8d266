import type { Knex } from 'knex'

import { addVectorColumn } from '../columns/add.ts'
import { dropColumnOptions, type DropColumnOptions } from '../columns/change-options.ts'
import { parseOptions } from '../core/parse-options.ts'
import { dropVectorColumn } from '../columns/drop.ts'
import { columnLabel } from '../columns/facts.ts'
import { assertColumn, type VectorColumn } from '../columns/column.ts'
import type { Operation } from './operation.ts'

/**
 * Drops a vector column with its data. The drop is refused while anything depends on the column. A column that this
 * library did not add is kept, unless `onlyOurs` is false.
 *
 * `down` adds the column again, without values; run a backfill afterwards.
 *
 * @example new DropVectorColumn(vectorColumn('documents', 'old_embedding', { dimensions: 384 }))
 */
export class DropVectorColumn implements Operation {
  readonly description: string
  readonly transaction = true
  readonly #column: VectorColumn
  readonly #options: DropColumnOptions

  /** @param column as it is declared now; a column of another type is not dropped */
  constructor(column: VectorColumn, options: DropColumnOptions = {}) {
    assertColumn(column)
    parseOptions(dropColumnOptions, options)
    this.description = `drop column ${columnLabel(column)}`
    this.#column = column
    this.#options = options
  }

  async up(knex: Knex): Promise<void> {
    await dropVectorColumn(knex, this.#column, this.#options)
  }

  async down(knex: Knex): Promise<void> {
    const { lockTimeout, wait, logger, log } = this.#options
    await addVectorColumn(knex, this.#column, { lockTimeout, wait, logger, log })
  }
}
