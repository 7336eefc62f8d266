const { nearestText } = require('knex-pgvector')

const { run } = require('./run')
const { documents, embedQuestion } = require('./vectors')

void run(async (knex) => {
  const options = { embed: embedQuestion, limit: 2, columns: ['title'] }
  const { rows, model, column } = await nearestText(knex, documents, 'cat castle', options)
  console.log(`${column} with ${model}`)
  for (const { title, distance } of rows) console.log(`${distance.toFixed(3)}  ${title}`)
})
