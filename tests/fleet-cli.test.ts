import { randomBytes } from 'node:crypto'

import { describeOnServers } from './support/databases.ts'
import { createSchemas, schemasWith } from './support/fleets.ts'
import { until } from './support/phases.ts'
import { createProject, knexfile, migrationOf, type Project } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const three = ['tenant_a', 'tenant_b', 'tenant_c'] as const
const chosen = ['--schemas', 'tenant\\_%'] as const

const files = {
  'knexfile.js': knexfile,
  'migrations/001_first.js': migrationOf('create table first (id int)', 'drop table first'),
  'migrations/002_second.js': migrationOf('create table second (id int)', 'drop table second'),
}

describeOnServers('npx knex-pgvector fleet', (database) => {
  const run = async (project: Project, ...words: string[]): ReturnType<Project['run']> =>
    project.run(['fleet', ...words], { DATABASE_URL: database().url ?? '' })

  test('migrates, names what failed with the next command, and retries it', async () => {
    const { knex } = database()
    await createSchemas(database(), three)
    await knex.raw('create table tenant_a.second ()')
    const project = await createProject(files)
    const failed = await run(project, 'up', ...chosen)
    expect(failed.code).toBe(2)
    expect(failed.stdout).toContain('0 tenants migrated, 0 with nothing to do')
    expect(failed.stdout).toMatch(/tenant_a +002_second +relation "second" already exists \(42P07\)/)
    expect(failed.stdout).toContain('2 tenants not reached, because a canary failed')
    expect(failed.stdout).toContain("Next: npx knex-pgvector fleet retry --schemas 'tenant\\_%'")
    expect(failed.stdout).toContain("Next: npx knex-pgvector fleet up --schemas 'tenant\\_%'")
    const before = await run(project, 'status', ...chosen, '--exit-code')
    expect(before.code).toBe(3)
    expect(before.stdout).toMatch(/tenant_a +failed +1 +002_second/)
    expect(before.stdout).toMatch(/tenant_b +pending +0 +001_first, 002_second/)
    await knex.raw('drop table tenant_a.second')
    expect(await run(project, 'retry', ...chosen)).toMatchObject({ code: 0 })
    const rest = await run(project, 'up', ...chosen, '--json')
    expect(rest.code).toBe(0)
    expect(JSON.parse(rest.stdout)).toMatchObject({
      done: ['tenant_b', 'tenant_c'],
      skipped: ['tenant_a'],
      failed: [],
      next: [],
    })
    expect((await run(project, 'status', ...chosen, '--exit-code')).code).toBe(0)
  })

  test('warns of a pattern that no schema matches', async () => {
    const project = await createProject(files)
    for (const action of ['status', 'up']) {
      const { code, stderr } = await run(project, action, '--schemas', 'tennant\\_%')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '⚠ There are no tenants: check --schemas tennant\\_%\n' })
    }
  })

  test('continues after it was killed, and leaves no tenant half done', async () => {
    const { knex, url } = database()
    const schemas = Array.from({ length: 12 }, (_, number) => `tenant_${String(number).padStart(2, '0')}`)
    await createSchemas(database(), schemas)
    const slow = migrationOf('create table second as select pg_sleep(0.05) is null as slept', 'drop table second')
    const project = await createProject({ ...files, 'migrations/002_second.js': slow })
    const killed = project.start(['fleet', 'up', ...chosen], { DATABASE_URL: url ?? '' })
    await until(knex, async () => (await schemasWith(database(), 'second')).length >= 3)
    killed.process.kill('SIGKILL')
    await killed.result
    const before = await schemasWith(database(), 'second')
    expect(before.length).toBeLessThan(schemas.length)
    expect(await run(project, 'up', ...chosen)).toMatchObject({ code: 0 })
    expect(await schemasWith(database(), 'second')).toEqual(schemas)
    for (const schema of schemas) {
      expect(await knex(`${schema}.knex_migrations`).orderBy('id').pluck('name')).toEqual(['001_first', '002_second'])
      expect(await knex(`${schema}.knex_migrations_lock`).pluck('is_locked')).toEqual([0])
    }
  })

  test('adds up what a rollback would lose, and needs a confirmation', async () => {
    const { knex } = database()
    await createSchemas(database(), three)
    const project = await createProject(files)
    await run(project, 'up', ...chosen)
    for (const schema of three) await knex.raw('insert into ??.second values (1), (2)', [schema])
    const asked = await run(project, 'down', ...chosen)
    expect(asked.code).toBe(2)
    expect(asked.stdout).toContain('would roll back 002_second in 3 tenants')
    expect(asked.stdout).toMatch(/second +table +6 rows +3/)
    expect(asked.stderr).toContain('CONFIRMATION_NEEDED')
    const done = await run(project, 'down', ...chosen, '--yes')
    expect(done).toMatchObject({ code: 0 })
    expect(done.stdout).toContain('3 tenants rolled back')
  })

  test('shows plans, differences and findings of all tenants, and rolls everything back', async () => {
    await createSchemas(database(), three)
    const vectors = `const { vectorColumn } = require('knex-pgvector')
      exports.embedding = vectorColumn('items', 'embedding', { type: 'vector', dimensions: 3 })`
    const project = await createProject({ ...files, 'vectors.js': vectors })
    const plan = await run(project, 'plan', ...chosen)
    expect(plan.stderr).toBe('')
    expect(plan.stdout).toContain('In 3 tenants: tenant_a, tenant_b, tenant_c')
    expect(plan.stdout.match(/create table first/g)).toHaveLength(1)
    await run(project, 'up', ...chosen)
    expect((await run(project, 'plan', ...chosen)).stdout).toContain('Nothing is pending')
    const diff = await run(project, 'diff', ...chosen, '--declared', 'vectors.js', '--exit-code')
    expect(diff).toMatchObject({ code: 3 })
    expect(diff.stdout).toMatch(/tenant_b\n +✗ extension missing: vector\n +✗ column missing: items.embedding/)
    expect(diff.stdout).toContain('0 as declared, 3 not')
    expect((await run(project, 'diff', ...chosen)).stderr).toContain('--declared: name the module')
    const doctor = await run(project, 'doctor', ...chosen, '--json')
    expect(JSON.parse(doctor.stdout)).toMatchObject({ failed: [] })
    const down = await run(project, 'down', ...chosen, '--all', '--yes')
    expect(down).toMatchObject({ code: 0 })
    expect(await schemasWith(database(), 'first')).toEqual([])
  })

  test('onboards a tenant, and names the command again if that fails', async () => {
    const project = await createProject({
      ...files,
      'migrations/003_third.js': migrationOf('create table third (id none)'),
    })
    const failed = await run(project, 'onboard', 'tenant_new')
    expect(failed.code).toBe(2)
    expect(failed.stdout).toContain('Next: npx knex-pgvector fleet onboard tenant_new')
    await project.write('migrations/003_third.js', migrationOf('create table third (id int)'))
    expect(await run(project, 'onboard', 'tenant_new')).toMatchObject({ code: 0 })
    expect(await schemasWith(database(), 'third')).toEqual(['tenant_new'])
  })

  test('takes the tenants from a module', async () => {
    const { knex } = database()
    const schema = `other_${randomBytes(3).toString('hex')}`
    await createSchemas(database(), [schema])
    const tenants = `export const tenants = async (knex) => [{ name: 'other', schema: '${schema}' }]`
    const project = await createProject({ ...files, 'tenants.ts': tenants })
    expect(await run(project, 'up', '--tenants', 'tenants.ts')).toMatchObject({ code: 0 })
    expect(await knex(`${schema}.knex_migrations`).pluck('name')).toEqual(['001_first', '002_second'])
  })

  test.each([
    [['up'], 'choose them with --schemas'],
    [['upp', ...chosen], 'action: must be one of status, plan, diff, doctor, up, retry, down, onboard, not upp'],
    [['onboard'], 'schema: name that of the new tenant'],
    [['up', 'tenant_a', ...chosen], 'schema: only onboard has one, not up'],
    [['up', '--tenants', 'missing.ts'], 'missing.ts cannot be loaded'],
  ])('explains what is wrong with %p', async (words, problem) => {
    const project = await createProject(files)
    const { code, stderr } = await run(project, ...words)
    expect(code).toBe(2)
    expect(stderr).toContain(problem)
  })
})
