import type { Knex } from 'knex'
import { toBinary } from 'knex-pgvector'

export interface Document {
  readonly title: string
  readonly embedding: readonly number[]
}

export interface Match {
  readonly title: string
  /** Cosine distance: 0 is the same direction, 2 the opposite one. */
  readonly distance: number
}

export class DocumentRepository {
  readonly #knex: Knex

  constructor(knex: Knex) {
    this.#knex = knex
  }

  async insert(documents: readonly Document[]): Promise<void> {
    const rows = documents.map(({ title, embedding }) => ({ title, embedding: toBinary('vector', embedding) }))
    await this.#knex('documents').insert(rows)
  }

  async nearest(embedding: readonly number[], limit: number): Promise<Match[]> {
    return this.#knex('documents')
      .select('title', this.#knex.raw('embedding <=> ? as distance', [toBinary('vector', embedding)]))
      .orderBy('distance')
      .limit(limit)
  }
}
