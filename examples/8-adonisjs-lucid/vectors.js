import { vectorColumn, vectorIndex } from 'knex-pgvector'

// Declared once, for the migrations and the queries.
export const embedding = vectorColumn('documents', 'embedding', { dimensions: 3 })
export const byMeaning = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
