import { isPinned } from '../src/database/search-path.ts'
import { describeOnServers } from './support/databases.ts'
import { createProject } from './support/project.ts'
import { startProxy } from './support/proxy.ts'
import { removeTemporaryFolders } from './support/temporary.ts'
import { setTraps, sprung } from './support/traps.ts'
import { unqualifiedNames } from './support/unqualified.ts'

afterAll(removeTemporaryFolders)

const files = {
  'knexfile.js': `
    const { migrationSource } = require('knex-pgvector')
    module.exports = {
      client: 'pg',
      connection: process.env.DATABASE_URL,
      searchPath: ['app', 'hostile', 'public', 'pg_catalog'],
      migrations: { migrationSource: migrationSource({ directory: __dirname + '/migrations' }) },
    }`,
  'vectors.js': `
    const { vectorColumn, vectorIndex } = require('knex-pgvector')
    const embedding = vectorColumn('documents', 'embedding', { schema: 'app', dimensions: 3 })
    exports.index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
    exports.other = vectorIndex(embedding, { method: 'hnsw', metric: 'l2', name: 'other_idx' })`,
  'migrations/001_enable.js': `
    const { EnablePgvector, migration } = require('knex-pgvector')
    module.exports = migration([new EnablePgvector({ schema: 'public' })])`,
  'migrations/002_embedding.js': `
    const { AddVectorColumn, CreateVectorIndex, RunSql, migration } = require('knex-pgvector')
    const { index } = require('../vectors.js')
    module.exports = migration([
      new RunSql({ up: 'create table app.documents ()', down: 'drop table app.documents' }),
      new AddVectorColumn(index.column),
      new CreateVectorIndex(index),
    ])`,
}

const commands: readonly string[] = [
  'status',
  'plan',
  'plan --script',
  'lint',
  'rehearse',
  'doctor',
  'up --dry-run',
  'up --to 001',
  'up',
  'up',
  'status',
  'history --verbose',
  'doctor',
  'diff --declared vectors.js',
  'index list',
  'index build --declared vectors.js',
  'index progress',
  'index repair',
  'new --from-diff more --declared vectors.js',
  'unlock',
  'down --dry-run',
  'down --yes --to 001',
  'down --yes',
  'adopt --to 001',
]

// A diff, a diagnosis and a list may find something, and nothing of 001 is there to be adopted.
const normal = new Set<number | null>([0, 2, 3])

// What the user's migrations and stock Knex leave to the search path.
const notOurs = /^create table app\.|^drop table app\.|^select version\(\);?$/i
const tables = /^relation knex_migrations(_lock|_runs)?$/

describeOnServers('the command line', (database) => {
  test('runs nothing of another role, and leaves no name to the search path, whatever the command', async () => {
    const { knex, url } = database()
    await knex.raw('create schema app')
    await setTraps(knex)
    const project = await createProject(files)
    const proxy = await startProxy(url ?? '')
    try {
      const codes = []
      for (const command of commands) {
        const { code, stderr } = await project.run(command.split(' '), { DATABASE_URL: proxy.url })
        codes.push({ command, isNormal: normal.has(code), hasSprung: /trap was sprung/.test(stderr) })
      }
      expect(codes.filter(({ isNormal, hasSprung }) => !isNormal || hasSprung)).toEqual([])
      expect(await sprung(knex)).toBe(0)
      const sent = new Set(proxy.connections.flatMap((connection) => connection.roundTrips()))
      const ours = [...sent].filter((sql) => !isPinned(sql) && !notOurs.test(sql.trim()))
      expect(ours.length).toBeGreaterThan(30)
      const found = []
      for (const sql of ours) {
        const names = (await unqualifiedNames(sql)).filter((name) => !tables.test(name))
        if (names.length > 0) found.push({ sql, names })
      }
      expect(found).toEqual([])
    } finally {
      await proxy.close()
    }
  }, 240_000)
})
