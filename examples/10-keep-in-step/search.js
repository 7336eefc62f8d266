const { nearestText } = require('knex-pgvector')

const { run } = require('./run')
const { articles, embedQuestion } = require('./vectors')

void run(async (knex) => {
  const options = { embed: embedQuestion, limit: 1, columns: ['title'] }
  const { rows } = await nearestText(knex, articles, 'jazz quiz', options)
  console.log(`nearest to "jazz quiz": ${rows[0].title}`)
})
