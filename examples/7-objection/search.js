const Knex = require('knex')
const { cosineDistance, nearest, nearestRows } = require('knex-pgvector')

const { HelpArticle } = require('./help-article')
const config = require('./knexfile')
const { byTitle, embedding } = require('./vectors')

// A model would create these vectors; three dimensions are enough to see what happens.
const articles = [
  { title: 'Feed a cat', isPublic: true, titleEmbedding: [0.9, 0.1, 0] },
  { title: 'Walk a dog', isPublic: true, titleEmbedding: [0.7, 0.6, 0.1] },
  { title: 'Train a cat', isPublic: false, titleEmbedding: [1, 0.1, 0] },
]
const question = [1, 0, 0]

async function main() {
  const knex = Knex(config)
  const Article = HelpArticle.bindKnex(knex)
  try {
    await Article.query().insert(articles)

    // With the expression of the index, in a query of Objection.
    const [first] = await Article.query().where({ isPublic: true }).modify(nearest(byTitle, question)).limit(1)
    console.log(`${first.title}: ${first.titleEmbedding.length} dimensions`)

    // As many rows as were asked for, if they exist: made into models afterwards.
    const { rows, isComplete } = await nearestRows(knex, byTitle, question, { limit: 2, where: { isPublic: true } })
    const found = rows.map((row) => Article.fromDatabaseJson(row))
    for (const { title, distance } of found) console.log(`${distance.toFixed(3)}  ${title}`)
    console.log(isComplete ? 'complete' : 'there may be more')

    const close = await Article.query().where(cosineDistance(embedding, question), '<', 0.1).orderBy('title')
    console.log(close.map(({ title }) => title).join(', '))
  } finally {
    await knex.destroy()
  }
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
