import { createServer, type AddressInfo } from 'node:net'

import { describeOnOneServer, describeWithoutPgvector } from './support/databases.ts'
import { createProject, knexfile, migrationOf, type Environment, type Project } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const migration = migrationOf('create table first (id int)', 'drop table first')

/** Node without a package: what asks for it is told that it is not there. */
const without = (name: string): string => `
  const Module = require('node:module')
  const resolve = Module._resolveFilename
  Module._resolveFilename = function (request, ...others) {
    if (request !== '${name}') return resolve.call(this, request, ...others)
    throw Object.assign(new Error("Cannot find module '${name}'\\nRequire stack:\\n- somewhere"), { code: 'MODULE_NOT_FOUND' })
  }`

const configuredWith = (settings: string): string => `module.exports = { ${settings} }`

async function failureOf(project: Project, flags: readonly string[], env: Environment = {}): Promise<string> {
  const { code, stderr } = await project.run(flags, env)
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/\n {2}Next {5}/) })
  return stderr
}

describe('the next step', () => {
  test.each<[string, string, RegExp, RegExp]>([
    [
      'a driver that is not installed',
      `${without('pg')}\n${configuredWith(`client: 'pg', connection: 'postgres://localhost/x'`)}`,
      /knexfile\.js: the package pg is not installed {2}INVALID_KNEXFILE\n {2}Next/,
      /Run: npm install pg/,
    ],
    [
      'the driver of another database',
      configuredWith(`client: 'mysql2', connection: 'mysql://localhost/x'`),
      /this is something that Knex reaches with its mysql2 client {2}UNSUPPORTED_DATABASE\n {2}Next/,
      /Use Knex's `pg` client/,
    ],
    [
      'a client that Knex does not know',
      configuredWith(`client: 'postgers', connection: 'postgres://localhost/x'`),
      /value postgers[^]*INVALID_KNEXFILE\n/,
      /Set client: 'pg'/,
    ],
    [
      'no client',
      configuredWith(`connection: 'postgres://localhost/x'`),
      /knexfile\.js: it has no client {2}INVALID_KNEXFILE\n/,
      /Set client: 'pg'/,
    ],
    [
      'a variable that is not set',
      configuredWith(`client: 'pg', connection: process.env.DATABASE_ULR`),
      /knexfile\.js: its connection is undefined {2}INVALID_KNEXFILE\n/,
      /environment variable[^]*--database-url/,
    ],
    [
      'a variable that is not set, in an object',
      configuredWith(`client: 'pg', connection: { connectionString: process.env.DATABASE_ULR, ssl: false }`),
      /knexfile\.js: its connection is undefined {2}INVALID_KNEXFILE\n/,
      /environment variable[^]*--database-url/,
    ],
    [
      'no connection',
      configuredWith(`client: 'pg'`),
      /knexfile\.js: it has no connection {2}INVALID_KNEXFILE\n/,
      /Add connection: 'postgres:\/\/user@host\/database'/,
    ],
    [
      'a connection that is no URL',
      configuredWith(`client: 'pg', connection: 'localhost'`),
      /knexfile\.js: its connection is no URL like postgres:\/\/host\/database {2}INVALID_KNEXFILE\n/,
      /Write it as a URL/,
    ],
    ['a file that exports nothing', '', /knexfile\.js: it exports no configuration/, /Export a configuration/],
  ])('of a knexfile with %s fits the cause', async (_what, content, said, next) => {
    const stderr = await failureOf(await createProject({ 'knexfile.js': content }), ['status'])
    expect(stderr).toMatch(said)
    expect(stderr.split('  Next  ')[1]).toMatch(next)
    expect(stderr).not.toMatch(/Require stack/)
  })

  test.each(['foo', 'mysql://app@host/x', 'postgres://app:pa55@host:port/x'])(
    'of --database-url %s is to write a URL',
    async (url) => {
      const stderr = await failureOf(await createProject({}), ['status', '--database-url', url])
      expect(stderr).toMatch(
        /✗ Invalid options: {2}INVALID_OPTIONS\n {2}- --database-url: must be a URL like postgres:/,
      )
      expect(stderr).not.toMatch(/pa55|knexfile/)
    },
  )

  test('of a server that takes the connection and never answers names host, port and the deadline', async () => {
    const server = createServer(() => undefined)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const project = await createProject({
        'knexfile.js': configuredWith(
          `client: 'pg', connection: 'postgres://u@127.0.0.1:${port}/x', acquireConnectionTimeout: 700`,
        ),
        'migrations/001_first.js': migration,
      })
      const [status, doctor] = await Promise.all([failureOf(project, ['status']), project.run(['doctor'])])
      expect(status).toContain(`✗ No connection to 127.0.0.1:${port}: no answer within 700 ms  CONNECTION_LOST\n  Next`)
      expect(status).toMatch(/Next {5}Check that host and port belong to a PostgreSQL server/)
      expect(doctor.stdout).toContain(`No connection to 127.0.0.1:${port}: no answer within 700 ms\n`)
      expect(status + doctor.stdout).not.toContain('pool')
    } finally {
      server.close()
    }
  })
})

describe('without a knexfile', () => {
  test('new writes into the given folder, else into migrations', async () => {
    const project = await createProject({ 'package.json': '{}' })
    expect((await project.run(['new', 'first thing'])).stdout).toBe('✓ migrations/001_first_thing.js\n')
    expect((await project.run(['new', 'second', '--directory', 'db/steps'])).stdout).toBe('✓ db/steps/001_second.js\n')
    await project.write('knexfile.js', configuredWith(`client: 'pg', migrations: { directory: 'elsewhere' }`))
    expect((await project.run(['new', 'third'])).stdout).toBe('✓ elsewhere/001_third.js\n')
    expect((await project.run(['new', 'third', '--directory', 'db/steps'])).stdout).toBe('✓ db/steps/002_third.js\n')
  })

  test('every other command says how to name a server', async () => {
    const project = await createProject({ 'migrations/001_first.js': migration })
    expect(await failureOf(project, ['up'])).toMatch(
      /✗ No Knex configuration found in .* {2}KNEXFILE_NOT_FOUND\n {2}Next {5}.*--knexfile.*--database-url or DATABASE_URL/,
    )
    expect(await failureOf(project, ['up'], { DATABASE_URL: 'foo' })).toContain('- DATABASE_URL: must be a URL')
  })
})

describeWithoutPgvector('the next step on a server without pgvector', (database) => {
  test('is to install it, or to skip the migration that needs it', async () => {
    const project = await createProject({
      'knexfile.js': knexfile,
      'migrations/001_first.js': migration,
      'migrations/002_vectors.js': `const { ensurePgvector } = require('knex-pgvector')
        exports.up = (knex) => ensurePgvector(knex)\nexports.down = async () => {}`,
    })
    const stderr = await failureOf(project, ['up'], { DATABASE_URL: database().url ?? '' })
    expect(stderr).toMatch(
      /apt install postgresql-[^]*\n {2}Without {2}npx knex-pgvector up --skip 002_vectors \(it stays/,
    )
  })
})

describeOnOneServer('the next step on a server', (database) => {
  const env = (): Environment => ({ DATABASE_URL: database().url ?? '' })

  test('is none without a knexfile where DATABASE_URL names the server', async () => {
    const project = await createProject({ 'migrations/001_first.js': migration })
    expect((await project.run(['up'], env())).stdout).toContain('✓ 001_first.js\nApplied 1\n')
    const other = { DATABASE_URL: 'postgres://localhost:1/other' }
    const { stdout } = await project.run(['status', '--database-url', env()['DATABASE_URL'] ?? ''], other)
    expect(stdout).toContain('001_first.js: APPLIED')
  })

  test('without the database is to create it', async () => {
    const project = await createProject({ 'knexfile.js': knexfile, 'migrations/001_first.js': migration })
    const stderr = await failureOf(project, ['status'], { DATABASE_URL: `${database().url}_not` })
    expect(stderr).toMatch(
      /database "(\w+_not)" does not exist \(3D000\)\n {2}Next {5}Create the database: createdb \1/,
    )
  })

  test.each([
    [
      'js',
      'export const up = async () => {}\nexport const down = up',
      /ES module in a CommonJS package: name it \.mjs,/,
    ],
    ['js', `import { a } from './a.js'\nexports.up = a`, /ES module in a CommonJS package: .*"type": "module"/],
    ['mjs', 'exports.up = async () => {}', /CommonJS in an ES module: name it \.cjs,/],
  ])('of a .%s migration of the wrong kind of modules names the ways out: %s', async (extension, content, next) => {
    const project = await createProject({
      'package.json': '{ "type": "commonjs" }',
      'knexfile.js': knexfile.replace("'migrations' }", "'migrations', loadExtensions: ['.js', '.mjs'] }"),
      [`migrations/001_first.${extension}`]: content,
    })
    expect((await failureOf(project, ['up'], env())).split('  Next  ')[1]).toMatch(next)
  })

  test('of a migration that uses a type of pgvector before it is enabled is to enable it', async () => {
    const project = await createProject({
      'knexfile.js': knexfile,
      'migrations/001_first.js': migrationOf('create table items (id int, embedding vector(3))'),
    })
    const stderr = await failureOf(project, ['up'], env())
    expect(stderr).toMatch(
      /type "vector" does not exist[^]*Next {5}pgvector is not enabled in this database: call ensure/,
    )
    const indexed = 'create table items (id int); create index on items using hnsw (id)'
    await project.write('migrations/001_first.js', migrationOf(indexed))
    expect(await failureOf(project, ['up'], env())).toMatch(/Next {5}pgvector is not enabled in this database/)
    expect(await failureOf(project, ['rehearse'], env())).toMatch(/Next {5}pgvector is not enabled in this database/)
  })

  test('of a migration that does not see pgvector names its schema', async () => {
    await database().knex.raw('create schema extensions; create extension vector schema extensions')
    const project = await createProject({
      'knexfile.js': knexfile,
      'migrations/001_first.js': migrationOf('create table items (id int, embedding vector(3))'),
    })
    const stderr = await failureOf(project, ['up'], env())
    expect(stderr).toMatch(/Next {5}pgvector is in the schema extensions, which is not on the search path/)
  })

  test('of a migration that names a type of no extension stays the usual one', async () => {
    const project = await createProject({
      'knexfile.js': knexfile,
      'migrations/001_first.js': migrationOf('create table items (id vektor)'),
    })
    expect(await failureOf(project, ['up'], env())).not.toMatch(/pgvector is/)
  })
})
