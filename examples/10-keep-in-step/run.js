const Knex = require('knex')

const config = require('./knexfile')

/** Runs with a connection, and closes it whatever happens. */
exports.run = async (work) => {
  const knex = Knex(config)
  try {
    await work(knex)
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  } finally {
    await knex.destroy()
  }
}
