import { BaseCommand } from '@adonisjs/core/ace'
import { nearestRows } from 'knex-pgvector'

import { byMeaning } from '../vectors.js'

// A model would create these vectors.
const documents = [
  { title: 'Cats and kittens', embedding: '[0.9,0.1,0]' },
  { title: 'Dogs and puppies', embedding: '[0.7,0.6,0.1]' },
  { title: 'Steam engines', embedding: '[0,0.1,0.9]' },
]

export default class Search extends BaseCommand {
  static commandName = 'search'
  static description = 'store three documents and find the two nearest to a vector'
  static options = { startApp: true }

  async run() {
    const db = await this.app.container.make('lucid.db')
    await db.table('documents').multiInsert(documents)
    const knex = db.connection().getWriteClient()
    const { rows } = await nearestRows(knex, byMeaning, [1, 0, 0], { limit: 2, columns: ['title'] })
    for (const { title, distance } of rows) this.logger.log(`${distance.toFixed(3)}  ${title}`)
  }
}
