const Knex = require('knex')
const { toBinary } = require('knex-pgvector')

const config = require('./knexfile')

// A model would make these; three dimensions are enough to see what happens.
const documents = [
  { title: 'Cats and kittens', embedding: [0.9, 0.1, 0] },
  { title: 'Dogs and puppies', embedding: [0.7, 0.6, 0.1] },
  { title: 'Steam engines', embedding: [0, 0.1, 0.9] },
]
const question = [1, 0, 0]

async function main() {
  const knex = Knex(config)
  try {
    await knex('documents').insert(
      documents.map(({ title, embedding }) => ({ title, embedding: toBinary('vector', embedding) })),
    )
    const nearest = await knex('documents')
      .select('title', knex.raw('embedding <=> ? as distance', [toBinary('vector', question)]))
      .orderBy('distance')
      .limit(2)
    for (const { title, distance } of nearest) console.log(`${distance.toFixed(3)}  ${title}`)
  } finally {
    await knex.destroy()
  }
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
