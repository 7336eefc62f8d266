const { toBinary } = require('knex-pgvector')

const { embedSmall } = require('./models')
const { run } = require('./run')

const titles = ['Cats and kittens', 'Dogs and puppies', 'Steam engines', 'Cattle', 'Castles']

void run(async (knex) => {
  const embeddings = await embedSmall(titles)
  const rows = titles.map((title, place) => ({ title, embedding: toBinary('vector', embeddings[place]) }))
  await knex('documents').insert(rows)
  console.log(`${rows.length} documents stored`)
})
