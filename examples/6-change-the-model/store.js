const { backfill } = require('knex-pgvector')

const { run } = require('./run')
const { documents } = require('./vectors')

const titles = ['Cats and kittens', 'Dogs and puppies', 'Steam engines', 'Cattle', 'Castles']

void run(async (knex) => {
  await knex('documents').insert(titles.map((title) => ({ title })))
  await backfill(knex, documents)
  console.log(`${titles.length} documents stored`)
})
