const { backfillVectors, estimateBackfill } = require('knex-pgvector')

const { embedLarge } = require('./models')
const { run } = require('./run')
const { large } = require('./vectors')

void run(async (knex) => {
  const read = ['title']
  const { rows, charactersPerRow } = await estimateBackfill(knex, large, { read })
  console.log(`${rows} rows to fill, about ${rows * charactersPerRow} characters to read`)
  await backfillVectors(knex, large, {
    read,
    embed: (documents) => embedLarge(documents.map(({ title }) => title)),
    batchSize: 2,
  })
})
