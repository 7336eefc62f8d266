const { inStep } = require('knex-pgvector')

const { run } = require('./run')
const { articles } = require('./vectors')

// The application writes its texts, and knows nothing of vectors.
void run(async (knex) => {
  await knex('articles').insert([
    { title: 'Cats', body: 'and kittens' },
    { title: 'Steam', body: 'engines on rails' },
    { title: 'Tea', body: 'how to brew it' },
  ])
  const { missing } = await inStep(knex, articles)
  console.log(`${missing} articles without a vector`)
})
