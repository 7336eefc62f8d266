import type { Knex } from 'knex'

import { addVectorColumn } from '../columns/add.ts'
import { columnOptions, type AddColumnOptions } from '../columns/change-options.ts'
import { parseOptions } from '../core/parse-options.ts'
import { dropVectorColumn } from '../columns/drop.ts'
import { columnLabel } from '../columns/facts.ts'
import { assertColumn, typeSql, type VectorColumn } from '../columns/column.ts'
import type { Operation } from './operation.ts'

/**
 * Adds a vector column. `down` drops it with its data if `up` added it, and keeps a column that existed before.
 *
 * @example new AddVectorColumn(vectorColumn('documents', 'embedding', { dimensions: 384 }))
 */
export class AddVectorColumn implements Operation {
  readonly description: string
  readonly transaction = true
  readonly #column: VectorColumn
  readonly #options: AddColumnOptions

  constructor(column: VectorColumn, options: AddColumnOptions = {}) {
    assertColumn(column)
    parseOptions(columnOptions, options)
    this.description = `add column ${columnLabel(column)} ${typeSql(column.type, column.dimensions, null)}`
    this.#column = column
    this.#options = options
  }

  async up(knex: Knex): Promise<void> {
    await addVectorColumn(knex, this.#column, this.#options)
  }

  async down(knex: Knex): Promise<void> {
    await dropVectorColumn(knex, this.#column, { ...this.#options, onlyOurs: true })
  }
}
