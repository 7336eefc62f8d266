import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import type { Project } from './projects.ts'
import type { RecordedMigration } from './record.ts'

const modules = join(__dirname, '..', 'node_modules')

/** The command line of node-pg-migrate. */
export const nodePgMigrate = join(dirname(require.resolve('node-pg-migrate/package.json')), 'bin', 'node-pg-migrate.js')

/** The same SQL in a Knex application of plain JavaScript, without this library. */
export async function writeKnexProject(recorded: readonly RecordedMigration[]): Promise<Project> {
  const project = await writeProject(recorded, (statements) => {
    // A question mark that stands for itself has a backslash before it in Knex's raw API.
    const calls = statements.map((sql) => `  await knex.raw(${JSON.stringify(sql.replaceAll('?', '\\?'))})`)
    return `exports.up = async (knex) => {\n${calls.join('\n')}\n}\n\nexports.down = async () => {}\n`
  })
  const { directory } = project
  const knexfile = `module.exports = { client: 'pg', connection: process.env.DATABASE_URL }\n`
  await writeFile(join(directory, 'knexfile.js'), knexfile)
  await mkdir(join(directory, 'node_modules'))
  for (const name of ['knex', 'pg']) await symlink(join(modules, name), join(directory, 'node_modules', name))
  return project
}

/** The same SQL in migrations of node-pg-migrate. */
export async function writeNodePgMigrateProject(recorded: readonly RecordedMigration[]): Promise<Project> {
  return writeProject(recorded, (statements) => {
    const calls = statements.map((sql) => `  pgm.sql(${JSON.stringify(sql)})`)
    return `exports.up = (pgm) => {\n${calls.join('\n')}\n}\n\nexports.down = false\n`
  })
}

async function writeProject(
  recorded: readonly RecordedMigration[],
  sourceOf: (statements: readonly string[]) => string,
): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), 'knex-pgvector-bench-'))
  await mkdir(join(directory, 'migrations'))
  await writeFile(join(directory, 'package.json'), '{ "private": true }')
  for (const { name, statements } of recorded) {
    await writeFile(join(directory, 'migrations', `${name}.js`), sourceOf(statements))
  }
  return { directory, remove: () => rm(directory, { recursive: true }) }
}
