const Knex = require('knex')

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to a PostgreSQL server')

// How many tokens each plugin has asked for.
const tokens = {}
let expired = 0

// What Backstage does for `connection.type: rds` or `azure`: a token that expires instead of a password. Here it
// is the password of DATABASE_URL.
async function connectionOf(pluginId) {
  const { hostname, port, username, password, pathname } = new URL(DATABASE_URL)
  const issued = expired
  tokens[pluginId] = (tokens[pluginId] ?? 0) + 1
  return {
    host: hostname,
    port: Number(port || 5432),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    expirationChecker: () => issued < expired,
  }
}

// What Backstage does for `pluginDivisionMode: schema`: it creates a schema, which is all that is on the plugin's search path.
async function getClient(pluginId) {
  const administrator = Knex({ client: 'pg', connection: DATABASE_URL, pool: { min: 0, max: 1 } })
  try {
    await administrator.raw('create schema if not exists ??', [pluginId])
  } finally {
    await administrator.destroy()
  }
  const connection = () => connectionOf(pluginId)
  return Knex({ client: 'pg', connection, pool: { min: 0 }, searchPath: [pluginId] })
}

// From now on, new queries need a new token.
function expireTokens() {
  expired += 1
}

module.exports = { expireTokens, getClient, tokens }
