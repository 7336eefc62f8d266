const { vectorColumn, vectorIndex } = require('knex-pgvector')

const embedding = vectorColumn('pages', 'embedding', { dimensions: 3 })
const byMeaning = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })

module.exports = { embedding, byMeaning }
