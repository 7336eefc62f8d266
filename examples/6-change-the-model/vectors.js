const { vectorColumn, vectorIndex } = require('knex-pgvector')

// Said once: for the migrations, the backfill and the queries.
const small = vectorColumn('documents', 'embedding', { dimensions: 4 })
const large = vectorColumn('documents', 'embedding_large', { dimensions: 26 })
const bySmall = vectorIndex(small, { method: 'hnsw', metric: 'cosine' })
const byLarge = vectorIndex(large, { method: 'hnsw', metric: 'cosine' })

module.exports = { small, large, bySmall, byLarge }
