const Knex = require('knex')

const knex = Knex(require('./knexfile'))

async function main() {
  for (let number = 1; number <= 50; number++) {
    await knex.raw('create schema ??', [`customer_${String(number).padStart(2, '0')}`])
  }
  console.log('50 customers, each with an empty schema')
}

void main().finally(() => knex.destroy())
