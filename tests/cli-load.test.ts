import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import Module from 'node:module'
import { join } from 'node:path'

import { loadWithJiti } from '../src/migrator/files/load.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'
import { describeOnServers } from './support/databases.ts'
import { createProject, migrationOf, type Project } from './support/project.ts'

afterAll(removeTemporaryFolders)

const plainKnexfile = `module.exports = { client: 'pg', connection: process.env.DATABASE_URL }`

// Says at its end which packages were loaded, and which files of this one.
const witness = `
  process.on('exit', () => {
    const files = Object.keys(require.cache)
    const packages = files.flatMap((file) => /node_modules[\\\\/]((?:@[^\\\\/]+[\\\\/])?[^\\\\/]+)/.exec(file)?.[1] ?? [])
    const ours = files.flatMap((file) => /[\\\\/]dist[\\\\/]((?:cli|migrator|extension|embedded|database)[\\\\/].*)\\.js$/.exec(file)?.[1] ?? [])
    process.stderr.write(JSON.stringify({ packages: [...new Set(packages)], ours }))
  })
`

describeOnServers('npx knex-pgvector status', (database) => {
  test('loads nothing that it does not need', async () => {
    const project = await createProject({
      'knexfile.js': plainKnexfile,
      'witness.js': witness,
      'migrations/001_items.js': migrationOf('create table items (id int)'),
    })
    const env = { DATABASE_URL: database().url ?? '', NODE_OPTIONS: `--require ${project.folder}/witness.js` }
    const { code, stdout, stderr } = await project.run(['status'], env)
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('001_items.js: PENDING') })
    const { packages, ours } = JSON.parse(stderr) as Record<'packages' | 'ours', string[]>
    expect(packages).toEqual(expect.arrayContaining(['knex', 'pg', 'commander']))
    const needless = /^(zod|semver|jiti|cli-table3|sucrase|@electric-sql)/
    expect(packages.filter((name) => needless.test(name))).toEqual([])
    expect(ours).toContain('migrator/status')
    expect(
      ours.filter((file) =>
        /^(extension|embedded|migrator\/(run|lock|plan|rehearse|replay|losses|adopt))\b/.test(file),
      ),
    ).toEqual([])
  })
})

// Says at its end what is in Node that was not there before.
const globals = `
  const before = Object.getOwnPropertyNames(globalThis)
  process.on('exit', () => {
    const added = Object.getOwnPropertyNames(globalThis).filter((name) => !before.includes(name))
    process.stderr.write(JSON.stringify({ added }))
  })
`

describeOnServers('what Knex and pg need', (database) => {
  test('is loaded as Node loads it, and migrations see the globals that Node has', async () => {
    const project = await createProject({
      'knexfile.js': plainKnexfile,
      'witness.js': globals,
      'migrations/001_items.js': migrationOf('create table items (id int)'),
    })
    const env = { DATABASE_URL: database().url ?? '', NODE_OPTIONS: `--require ${project.folder}/witness.js` }
    const { code, stderr } = await project.run(['up', '--quiet'], env)
    expect({ code, ...(JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as object) }).toEqual({ code: 0, added: [] })
  })
})

const keepsCompiled = 'enableCompileCache' in Module

describe('the compiled modules of the command line', () => {
  const folderOf = (project: Project): string => join(project.folder, 'node_modules/.cache/knex-pgvector/compiled')

  test('are kept for this user alone where Node can keep them', async () => {
    const project = await createProject({})
    await mkdir(join(project.folder, 'node_modules'), { recursive: true })
    expect(await project.run(['--version'])).toMatchObject({ code: 0, stderr: '' })
    const found = await stat(folderOf(project)).catch(() => null)
    expect(found === null ? null : found.mode & 0o777).toBe(keepsCompiled ? 0o700 : null)
  })

  test('are not kept in a folder that others can write', async () => {
    const project = await createProject({})
    await mkdir(folderOf(project), { recursive: true })
    await chmod(folderOf(project), 0o777)
    expect(await project.run(['--version'])).toMatchObject({ code: 0, stderr: '' })
    expect(await readdir(folderOf(project))).toEqual([])
  })
})

describe('compiled TypeScript', () => {
  const config = `export default { client: 'pg', connection: 'postgres://nowhere' } satisfies object`

  test('is kept in the project for this user alone, where there is a project', async () => {
    const project = await createProject({ 'knexfile.mts': config })
    const file = join(project.folder, 'knexfile.mts')
    expect(await loadWithJiti(file)).toMatchObject({ default: { client: 'pg' } })
    const folder = join(project.folder, 'node_modules/.cache/knex-pgvector/jiti')
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect(await readdir(folder)).toHaveLength(1)
    expect(await readdir(join(project.folder, 'node_modules/.cache'))).toEqual(['knex-pgvector'])
  })

  test('is not kept in the folder for temporary files, where there is none', async () => {
    const [folder, temporary] = [await temporaryFolder(), await temporaryFolder()]
    await writeFile(join(folder, 'knexfile.mts'), config)
    const before = process.env['TMPDIR']
    process.env['TMPDIR'] = temporary
    try {
      expect(await loadWithJiti(join(folder, 'knexfile.mts'))).toMatchObject({ default: { client: 'pg' } })
    } finally {
      if (before === undefined) delete process.env['TMPDIR']
      else process.env['TMPDIR'] = before
    }
    expect([await readdir(folder), await readdir(temporary)]).toEqual([['knexfile.mts'], []])
  })
})

describeOnServers('a knexfile in JavaScript', (database) => {
  test.each([
    [
      'reads TypeScript',
      { 'knexfile.js': `module.exports = require('./config')`, 'config.ts': typescript('module.exports =') },
    ],
    [
      'reads TypeScript as a module',
      { 'knexfile.mjs': `export { default } from './config.ts'`, 'config.ts': typescript('export default') },
    ],
    [
      'mixes the two kinds of modules',
      { 'knexfile.js': `import path from 'path'\nexport default require('./config.cjs')`, 'config.cjs': plainKnexfile },
    ],
    [
      'awaits at its top',
      {
        'knexfile.mjs': `const { default: config } = await import('./config.cjs')\nexport default config`,
        'config.cjs': plainKnexfile,
      },
    ],
  ])('%s', async (_, files) => {
    const project = await createProject({ ...files, 'migrations/001_items.js': migrationOf('select 1') })
    const { code, stdout, stderr } = await project.run(['status'], { DATABASE_URL: database().url ?? '' })
    expect({ code, stderr, stdout }).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('PENDING') })
  })
})

function typescript(exported: string): string {
  return `interface Config { readonly client: string }\nconst config: Config = { client: 'pg', connection: process.env['DATABASE_URL'] }\n${exported} config`
}
