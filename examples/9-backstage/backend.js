const path = require('node:path')

const { inspectPgvector, nearestRows } = require('knex-pgvector')

const { expireTokens, getClient, tokens } = require('./database-manager')
const { byMeaning } = require('./plugins/techdocs/vectors')

const plugins = ['catalog', 'techdocs']
const migrationsOf = (plugin) => ({ directory: path.join(__dirname, 'plugins', plugin, 'migrations') })

async function main() {
  const [catalog, techdocs] = await Promise.all(plugins.map(getClient))
  try {
    // At once, as the plugins of a backend start.
    await Promise.all([
      catalog.migrate.latest(migrationsOf('catalog')),
      techdocs.migrate.latest(migrationsOf('techdocs')),
    ])
    const { installed } = await inspectPgvector(techdocs)
    console.log(`both plugins migrated, pgvector is in the schema ${installed.schema}`)

    // A model would create these vectors.
    await techdocs('pages').insert([
      { title: 'Deploy a service', embedding: '[0.9,0.1,0]' },
      { title: 'Roll back a deployment', embedding: '[0.7,0.6,0.1]' },
      { title: 'Order lunch', embedding: '[0,0.1,0.9]' },
    ])
    await search(techdocs)

    expireTokens()
    await catalog.migrate.rollback(migrationsOf('catalog'), true)
    console.log('catalog rolled back')
    await search(techdocs)
    for (const plugin of plugins) console.log(`${plugin}: ${tokens[plugin]} tokens`)
  } finally {
    await Promise.all([catalog.destroy(), techdocs.destroy()])
  }
}

async function search(knex) {
  const { rows } = await nearestRows(knex, byMeaning, [1, 0, 0], { limit: 2, columns: ['title'] })
  console.log(`techdocs: ${rows.map(({ title, distance }) => `${title} (${distance.toFixed(3)})`).join(', ')}`)
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
