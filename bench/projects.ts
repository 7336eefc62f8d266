import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { RecordedMigration } from './record.ts'

const root = join(__dirname, '..')

/** A Knex application in a folder of its own. */
export interface Project {
  readonly directory: string
  remove(): Promise<void>
}

interface ProjectFiles {
  readonly knexfile: string
  /** The source of each migration by its file name. */
  readonly migrations: Readonly<Record<string, string>>
}

/** migrations/ in an application that has this library installed, built. */
export async function writeProjectWithLibrary(): Promise<Project> {
  const names = await readdir(join(root, 'migrations'))
  const migrations = await Promise.all(
    names.map(async (name): Promise<[string, string]> => {
      const source = await readFile(join(root, 'migrations', name), 'utf8')
      return [name, source.replaceAll(/(?<=from ')\.\.\/(src|dist)\/index\.[jt]s(?=')/g, 'knex-pgvector')]
    }),
  )
  return writeProject({
    knexfile: `
import type { Knex } from 'knex'
import { migrationSource } from 'knex-pgvector'

const config: Knex.Config = {
  client: 'pg',
  connection: process.env['DATABASE_URL'],
  migrations: { migrationSource: migrationSource({ directory: 'migrations' }) },
}

export default config
`,
    migrations: Object.fromEntries(migrations),
  })
}

/** The same SQL in migrations that send it with Knex's raw API, in an application without this library. */
export async function writePlainProject(recorded: readonly RecordedMigration[]): Promise<Project> {
  return writeProject({
    knexfile: `
import type { Knex } from 'knex'

const config: Knex.Config = {
  client: 'pg',
  connection: process.env['DATABASE_URL'],
  migrations: { directory: 'migrations', extension: 'ts' },
}

export default config
`,
    migrations: Object.fromEntries(recorded.map(({ name, statements }) => [`${name}.ts`, plainMigration(statements)])),
  })
}

function plainMigration(statements: readonly string[]): string {
  // A question mark that stands for itself has a backslash before it in Knex's raw API.
  const calls = statements.map((sql) => `  await knex.raw(${JSON.stringify(sql.replaceAll('?', '\\?'))})`)
  return `
import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
${calls.join('\n')}
}

export async function down(): Promise<void> {}
`
}

async function writeProject({ knexfile, migrations }: ProjectFiles): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), 'knex-pgvector-bench-'))
  await Promise.all([mkdir(join(directory, 'node_modules')), mkdir(join(directory, 'migrations'))])
  await Promise.all([
    ...['knex', 'pg', 'sucrase'].map((name) =>
      symlink(join(root, 'node_modules', name), join(directory, 'node_modules', name)),
    ),
    symlink(root, join(directory, 'node_modules', 'knex-pgvector')),
    writeFile(join(directory, 'package.json'), '{ "private": true }'),
    writeFile(join(directory, 'knexfile.ts'), knexfile),
    ...Object.entries(migrations).map(([name, source]) => writeFile(join(directory, 'migrations', name), source)),
  ])
  return { directory, remove: () => rm(directory, { recursive: true }) }
}
