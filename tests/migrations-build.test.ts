import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import ts from 'typescript'

import { catalogOf } from './support/catalog.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { initialSchema, migrationsOf, scalingTables, semanticSearch, silenceConsole } from './support/migrations.ts'

silenceConsole()

const all = [initialSchema, semanticSearch, scalingTables]
const { compilerOptions } = JSON.parse(ts.sys.readFile('tsconfig.json') ?? '') as { compilerOptions: unknown }
const { options } = ts.convertCompilerOptionsFromJson(compilerOptions, '.')

/** Compiles the migrations and what they import to JavaScript, as a deployment does; returns their folder. */
async function build(directory: string): Promise<string> {
  for (const file of await sources()) {
    const { outputText } = ts.transpileModule(await readFile(file, 'utf8'), {
      compilerOptions: options,
      fileName: file,
    })
    const target = join(directory, file.replace(/\.ts$/, '.js'))
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, outputText)
  }
  await cp('package.json', join(directory, 'package.json'))
  await symlink(join(process.cwd(), 'node_modules'), join(directory, 'node_modules'))
  return join(directory, 'migrations')
}

async function sources(): Promise<string[]> {
  const folders = ['src', 'migrations'].map(async (folder) =>
    (await readdir(folder, { recursive: true })).map((name) => join(folder, name)),
  )
  return (await Promise.all(folders)).flat().filter((name) => name.endsWith('.ts'))
}

describeOnEveryDatabase('migrations that a build turned into JavaScript', (database) => {
  let directory: string
  let built: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'knex-pgvector-build-'))
    built = await build(directory)
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('are the same to Knex: nothing is pending, nothing is missing, and they can be undone', async () => {
    const { knex } = database()
    const empty = await catalogOf(knex)
    await migrationsOf(knex).latest()
    const inProduction = migrationsOf(knex, built)
    expect(await inProduction.pending()).toEqual([])
    expect(await inProduction.latest()).toEqual([])
    expect(await inProduction.rollbackAll()).toEqual(all.toReversed())
    expect(await catalogOf(knex)).toEqual(empty)
  })

  test('create the same, and can be undone by the sources', async () => {
    const { knex } = database()
    const migrations = migrationsOf(knex)
    await migrations.latest()
    const full = await catalogOf(knex)
    await migrations.rollbackAll()
    expect(await migrationsOf(knex, built).latest()).toEqual(all)
    expect(await catalogOf(knex)).toEqual(full)
    expect(await migrations.rollbackAll()).toEqual(all.toReversed())
  })
})
