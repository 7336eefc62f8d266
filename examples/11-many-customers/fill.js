const Knex = require('knex')
const { toBinary } = require('knex-pgvector')

const { embed, embedding } = require('./vectors')

const knex = Knex(require('./knexfile'))
const titles = ['Invoices of the spring', 'A guide to green tea', 'Jazz on Sundays']

async function main() {
  const schemas = await knex('pg_namespace').where('nspname', 'like', 'customer\\_%').pluck('nspname')
  for (const schema of schemas) {
    // One customer has stored a title twice, which the next release does not expect.
    const stored = schema === 'customer_07' ? [...titles, titles[0]] : titles
    await knex('documents')
      .withSchema(schema)
      .insert(stored.map((title) => ({ title, embedding: toBinary(embedding, embed(title)) })))
  }
  console.log(`documents of ${schemas.length} customers`)
}

void main().finally(() => knex.destroy())
