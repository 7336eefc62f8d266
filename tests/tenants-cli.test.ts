import { createVectorIndex } from '../src/index.ts'
import type { CliResult } from './support/cli.ts'
import { describeOnOneServer, type TestDatabase } from './support/databases.ts'
import { createProject, knexfile } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'
import { addRows, byMeaning, createTenants, quiet } from './support/tenants.ts'

afterEach(removeTemporaryFolders)

const declared = `
  import { tenantRule, vectorColumn, vectorIndex } from 'knex-pgvector'

  const embedding = vectorColumn('documents', 'embedding', { dimensions: 8 })
  export const byMeaning = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
  export const byTenant = tenantRule(byMeaning, { column: 'tenant_id', above: 20, atMost: 2 })
`

const migrated = `
  import { migration, TenantIndexes } from 'knex-pgvector'
  import { byTenant } from '../vectors'

  export const { up, down, config } = migration([new TenantIndexes(byTenant)])
`

async function project({ url }: TestDatabase): Promise<(...flags: string[]) => Promise<CliResult>> {
  const { run } = await createProject({
    'knexfile.js': knexfile,
    'vectors.ts': declared,
    'migrations/001_tenants.ts': migrated,
  })
  return (...flags) => run(flags, { DATABASE_URL: url ?? '' })
}

describeOnOneServer('knex-pgvector index tenants', (database) => {
  test('shows what a rule would do, does it, and has nothing left to do', async () => {
    const { knex } = database()
    await createTenants(knex)
    await createVectorIndex(knex, byMeaning, quiet)
    await addRows(knex, 7, 1000)
    const run = await project(database())
    const tenants = (...flags: string[]): Promise<CliResult> =>
      run('index', 'tenants', '--declared', 'vectors.ts', ...flags)
    const name = 'documents_embedding_hnsw_cosine_tenant_[0-9a-f]{12}'
    const dry = await tenants('--dry-run')
    expect(dry.code).toBe(3)
    expect(dry.stdout).toMatch(new RegExp(`^would build ${name} of 7: 1,000 rows\\n$`))
    const done = await tenants()
    expect(done.code).toBe(0)
    expect(done.stdout).toMatch(new RegExp(`^✓ built ${name} of 7: 1,000 rows, 1 of 1\\n$`))
    expect(done.stderr).toContain('1 to build, 0 to drop, 0 to keep')
    expect((await tenants('--dry-run')).code).toBe(0)
    const again = await tenants('--json')
    expect(JSON.parse(again.stdout)).toEqual([
      {
        rule: byMeaning.name,
        built: [],
        dropped: [],
        kept: [{ tenant: '7', index: expect.any(String), rows: 1000 }],
        warnings: [],
      },
    ])
    expect(await run('diff', '--declared', 'vectors.ts', '--exit-code')).toMatchObject({ code: 0 })
    expect(await run('index', 'list')).toMatchObject({ code: 0, stdout: expect.stringContaining('(tenant_id = 7)') })
    await knex('documents').delete()
    expect((await tenants()).stdout).toMatch(new RegExp(`^✓ dropped ${name} of 7: 0 rows\\n$`))
  })

  test('needs a rule, and names those that there are', async () => {
    const run = await project(database())
    expect((await run('index', 'tenants')).stderr).toContain('--declared: name the module that exports the rules')
    const other = await run('index', 'tenants', '--declared', 'vectors.ts', '--only', 'other')
    expect(other.stderr).toContain(`--only: declared are the rules of ${byMeaning.name}, not of other`)
  })

  test('is planned, applied and rolled back as a migration', async () => {
    const { knex } = database()
    await createTenants(knex)
    await addRows(knex, 7, 30)
    const run = await project(database())
    expect((await run('plan')).code).toBe(0)
    expect((await run('up')).code).toBe(0)
    expect((await run('index', 'list')).stdout).toContain('(tenant_id = 7)')
    expect((await run('down', '--yes')).code).toBe(0)
    expect((await run('index', 'list')).stdout).toBe('There is no index on vectors here\n')
  })
})
