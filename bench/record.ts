import { join } from 'node:path'

import Knex from 'knex'

import { migrationSource } from './library.ts'

/** The statements that one migration sends. */
export interface RecordedMigration {
  readonly name: string
  readonly statements: readonly string[]
}

/** Runs migrations/ on an empty database, and notes what each of them sends. */
export async function recordMigrations(url: string): Promise<RecordedMigration[]> {
  const source = migrationSource({ directory: join(__dirname, '..', 'migrations') })
  const recorded: RecordedMigration[] = []
  let current: string[] | undefined
  const knex = Knex({
    client: 'pg',
    connection: url,
    migrations: {
      migrationSource: {
        ...source,
        getMigration: async (file: Parameters<typeof source.getMigration>[0]) => {
          const migration = await source.getMigration(file)
          return {
            ...migration,
            up: async (trx: Parameters<typeof migration.up>[0]) => {
              const statements: string[] = []
              recorded.push({ name: file.file, statements })
              current = statements
              await migration.up(trx)
              // What comes now is Knex's own: its record of the migration.
              current = undefined
            },
          }
        },
      },
    },
  })
  knex.on('query', ({ sql, bindings }: { sql: string; bindings?: readonly unknown[] }) => {
    if (bindings !== undefined && bindings.length > 0 && current !== undefined) {
      throw new Error(`psql has no bindings to replay this with: ${sql}`)
    }
    current?.push(sql)
  })
  try {
    await knex.migrate.latest()
  } finally {
    await knex.destroy()
  }
  return recorded
}
