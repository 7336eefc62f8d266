import { resolve } from 'node:path'

import { describeOnOneServer } from './support/databases.ts'
import { createProject, knexfile, migrationOf } from './support/project.ts'
import { run } from './support/run.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

const jestCommand = resolve(__dirname, '../node_modules/jest/bin/jest.js')

afterAll(removeTemporaryFolders)

describeOnOneServer("jest as it comes, without a flag of Node's", (database) => {
  test('runs everything that needs a server, and names the flag for what needs PGlite', async () => {
    const { url } = database()
    const { folder } = await createProject({
      'package.json': '{ "private": true, "type": "commonjs" }',
      'jest.config.js': `module.exports = { testEnvironment: 'node', rootDir: __dirname }`,
      'knexfile.js': knexfile,
      'migrations/001_documents.js': migrationOf('create table documents (id int)', 'drop table documents'),
      'everything.test.js': everything,
    })
    const { code, stderr } = await run(process.execPath, [jestCommand, '--rootDir', folder], {
      cwd: folder,
      env: { DATABASE_URL: url ?? '' },
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('1 passed') })
  })
})

const everything = `
  const Knex = require(${JSON.stringify(require.resolve('knex'))})
  const { ensurePgvector, listVectorIndexes, migrateToLatest } = require('knex-pgvector')
  const { diagnose } = require('knex-pgvector/doctor')
  const { createMigrator } = require('knex-pgvector/migrator')

  test('works', async () => {
    const knex = Knex(require('./knexfile.js'))
    try {
      const migrator = createMigrator(knex)
      expect((await migrator.status()).map(({ state }) => state)).toEqual(['pending'])
      expect((await migrator.rehearse()).migrations).toHaveLength(1)
      expect((await migrateToLatest(knex)).migrations).toHaveLength(1)
      expect((await migrator.losses()).tables).toHaveLength(1)
      expect((await migrator.down()).migrations).toHaveLength(1)
      expect((await migrator.history()).length).toBeGreaterThan(0)
      expect((await ensurePgvector(knex, { logger: false })).status).toBe('created')
      expect(await listVectorIndexes(knex)).toEqual([])
      expect(await migrator.unlock()).toMatchObject({ status: 'free' })
      expect(await diagnose(knex)).toContainEqual(expect.objectContaining({ check: 'extension', level: 'ok' }))
      await expect(migrator.plan()).rejects.toMatchObject({
        code: 'EMBEDDED_NEEDS_FLAG',
        hint: expect.stringContaining('--experimental-vm-modules'),
      })
    } finally {
      await knex.destroy()
    }
  })
`
