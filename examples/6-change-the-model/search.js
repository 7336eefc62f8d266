const { nearestRows } = require('knex-pgvector')

const { embedLarge } = require('./models')
const { run } = require('./run')
const { byLarge } = require('./vectors')

void run(async (knex) => {
  const [question] = await embedLarge(['cat castle'])
  const { rows } = await nearestRows(knex, byLarge, question, { limit: 2, columns: ['title'] })
  for (const { title, distance } of rows) console.log(`${distance.toFixed(3)}  ${title}`)
})
