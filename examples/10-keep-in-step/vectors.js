const { embedding, vectorColumn } = require('knex-pgvector')

// A model that counts letters, so that this runs without an account.
function count(text) {
  const counts = Array(26).fill(0)
  for (const letter of text.toLowerCase()) if (letter >= 'a' && letter <= 'z') counts[letter.charCodeAt(0) - 97]++
  return counts
}

// Declared once: for the migration, the worker, the searches and the command line.
const column = vectorColumn('articles', 'embedding', { dimensions: 26 })
const articles = embedding('articles', {
  column,
  from: ['title', 'body'],
  model: 'letters-1',
  embed: async (rows) => rows.map(({ title, body }) => count(`${title} ${body}`)),
})

const embedQuestion = { 'letters-1': async (text) => count(text) }

module.exports = { articles, column, embedQuestion }
