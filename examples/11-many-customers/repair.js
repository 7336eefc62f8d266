const Knex = require('knex')

const knex = Knex(require('./knexfile'))

async function main() {
  const deleted = await knex('documents as d')
    .withSchema('customer_07')
    .whereExists(function () {
      this.select(1).from('customer_07.documents as older').whereRaw('older.title = d.title and older.id < d.id')
    })
    .delete()
  console.log(`customer_07: ${deleted} title that was stored twice is deleted`)
}

void main().finally(() => knex.destroy())
