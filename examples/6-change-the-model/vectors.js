const { changeModel, embedding, vectorColumn } = require('knex-pgvector')

const { embedLarge, embedSmall } = require('./models')

// Declared once: for the migrations, the searches and the command line.
const small = vectorColumn('documents', 'embedding', { dimensions: 4 })
const large = vectorColumn('documents', 'embedding_large', { dimensions: 26 })

const rowsWith = (model) => (rows) => model(rows.map(({ title }) => title))
const textWith = (model) => async (text) => (await model([text]))[0]

const documents = embedding('documents', {
  column: small,
  from: ['title'],
  model: 'small-1',
  embed: rowsWith(embedSmall),
})

const change = changeModel(documents, {
  to: { column: large, model: 'large-1' },
  embed: { 'small-1': rowsWith(embedSmall), 'large-1': rowsWith(embedLarge) },
})

// What makes the vector of a question: the release from before the change knows only the first.
const embedQuestion = { 'small-1': textWith(embedSmall), 'large-1': textWith(embedLarge) }

module.exports = { small, large, documents, change, embedQuestion }
