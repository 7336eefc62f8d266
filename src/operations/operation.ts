import type { Knex } from 'knex'

/**
 * One reversible step of a migration. After a crash at any point, the step can run again and finishes the remaining
 * work.
 */
export interface Operation {
  /** A description to print, for example: add column documents.embedding vector(384). */
  readonly description: string
  /** Whether the step can run inside a transaction. A step that cannot makes the whole migration run outside one. */
  readonly transaction: boolean
  /** Whether `down` can run inside a transaction, if that differs from `transaction`. */
  readonly downInTransaction?: boolean
  up(knex: Knex): Promise<void>
  /** Reverses what `up` did, and nothing that existed before. */
  down(knex: Knex): Promise<void>
}
