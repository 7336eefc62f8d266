const { vectorColumn, vectorIndex } = require('knex-pgvector')

// Declared once, for the migration and the queries, under the names that the database uses.
const embedding = vectorColumn('help_articles', 'title_embedding', { dimensions: 3 })
const byTitle = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })

module.exports = { embedding, byTitle }
