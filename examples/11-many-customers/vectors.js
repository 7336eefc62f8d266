const { vectorColumn, vectorIndex } = require('knex-pgvector')

const embedding = vectorColumn('documents', 'embedding', { dimensions: 26 })
const byMeaning = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })

/** A model for an example: it counts letters. */
function embed(text) {
  const letters = Array.from({ length: 26 }, () => 0)
  for (const letter of text.toLowerCase()) if (letter >= 'a' && letter <= 'z') letters[letter.charCodeAt(0) - 97] += 1
  return letters
}

module.exports = { embed, embedding, byMeaning }
