import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { RecordedMigration } from './record.ts'

/** The same SQL without this library: a Knex project of its own, and a file for psql. */
export interface PlainProject {
  readonly directory: string
  readonly sqlFile: string
  remove(): Promise<void>
}

const knexfile = `
import type { Knex } from 'knex'

const config: Knex.Config = {
  client: 'pg',
  connection: process.env['DATABASE_URL'],
  migrations: { directory: './migrations', extension: 'ts' },
}

export default config
`

export async function writePlainProject(migrations: readonly RecordedMigration[]): Promise<PlainProject> {
  const directory = await mkdtemp(join(tmpdir(), 'knex-pgvector-bench-'))
  const sqlFile = join(directory, 'migrations.sql')
  await mkdir(join(directory, 'migrations'))
  await Promise.all([
    symlink(join(__dirname, '..', 'node_modules'), join(directory, 'node_modules')),
    writeFile(join(directory, 'package.json'), '{ "private": true }'),
    writeFile(join(directory, 'knexfile.ts'), knexfile),
    writeFile(sqlFile, `${migrations.flatMap(({ statements }) => statements).join(';\n')};\n`),
    ...migrations.map(({ name, statements }) =>
      writeFile(join(directory, 'migrations', `${name}.ts`), migrationFile(statements)),
    ),
  ])
  return { directory, sqlFile, remove: () => rm(directory, { recursive: true }) }
}

function migrationFile(statements: readonly string[]): string {
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
