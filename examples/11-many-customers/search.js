const Knex = require('knex')
const { nearestRows } = require('knex-pgvector')

const { byMeaning, embed } = require('./vectors')

const [schema, text] = process.argv.slice(2)

// As in the application: the search path of a customer, and after it the schema of the extension.
const knex = Knex({ ...require('./knexfile'), searchPath: [schema, 'public'] })

async function main() {
  const { rows } = await nearestRows(knex, byMeaning, embed(text), { limit: 1, columns: ['title'] })
  console.log(`${schema}, nearest to "${text}": ${rows[0]?.title ?? 'nothing'}`)
}

void main().finally(() => knex.destroy())
