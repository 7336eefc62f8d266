import type { Knex } from 'knex'

import type { Operation } from './operation.ts'

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
  return {
    up: async (knex) => {
      for (const operation of operations) await operation.up(knex)
    },
    down: async (knex) => {
      for (const operation of operations.toReversed()) await operation.down(knex)
    },
    config: { transaction: operations.every(({ transaction }) => transaction) },
  }
}
