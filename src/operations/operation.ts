import type { Knex } from 'knex'

/** One reversible step of a migration. Each can run again after a crash at any point, and then finishes what is left. */
export interface Operation {
  /** For people: add column documents.embedding vector(384). */
  readonly description: string
  /** Whether it can run inside a transaction. One that cannot takes its whole migration outside. */
  readonly transaction: boolean
  /** Whether `down` can run inside a transaction, where that differs from `transaction`. */
  readonly downInTransaction?: boolean
  up(knex: Knex): Promise<void>
  /** Undoes what `up` did, and nothing that was there before. */
  down(knex: Knex): Promise<void>
}
