import type { Knex } from 'knex'

import { CreateVectorIndex } from './create-vector-index.ts'
import type { Operation } from './operation.ts'

/**
 * What of a composed `down` can run inside a transaction, so that what it would lose can be seen in one that is rolled
 * back: the rest builds indexes. It stands at the function, because that is what a migration's module exports. A
 * registered symbol: a migration may use another copy of this package.
 */
export const UNDO_IN_TRANSACTION = Symbol.for('knex-pgvector.undo-in-transaction')

/** What Knex expects of a migration's module. */
export interface MigrationModule {
  readonly up: (knex: Knex) => Promise<void>
  readonly down: (knex: Knex) => Promise<void>
  readonly config: { readonly transaction: boolean }
}

/**
 * Composes operations into a migration: `up` runs them in order, `down` undoes them in the opposite order.
 *
 * It runs in a transaction unless one of them cannot, as an index that is built beside writers. Outside a transaction
 * what was done before a failure stays, and running the migration again goes on from there.
 *
 * @example
 * ```ts
 * const embedding = vectorColumn('documents', 'embedding', { dimensions: 1536 })
 *
 * export const { up, down, config } = migration([
 *   new EnablePgvector({ minVersion: '0.7.0' }),
 *   new AddVectorColumn(embedding),
 *   new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }),
 * ])
 * ```
 */
export function migration(operations: readonly Operation[]): MigrationModule {
  // An index can be dropped in a transaction too, where keeping others waiting for a moment is all right.
  const inTransaction = operations.filter((each) => each.transaction || each instanceof CreateVectorIndex)
  return {
    up: async (knex) => {
      for (const operation of operations) await operation.up(knex)
    },
    down: Object.assign((knex: Knex) => undo(knex, operations), {
      [UNDO_IN_TRANSACTION]: (knex: Knex) => undo(knex, inTransaction),
    }),
    config: { transaction: operations.every(({ transaction }) => transaction) },
  }
}

async function undo(knex: Knex, operations: readonly Operation[]): Promise<void> {
  for (const operation of operations.toReversed()) await operation.down(knex)
}
