import { relative } from 'node:path'

import { green } from 'colorette'

import { folderOf, newMigration } from '../../runner/new-migration.ts'
import type { MigrationKind } from '../../runner/migration-templates.ts'
import { settingsOf } from '../../runner/settings.ts'
import type { Context } from '../context.ts'
import { exitCode } from '../report-failure.ts'

/** Writes a new migration file. */
export async function run(
  { knex, directory, print }: Context,
  { kind }: { readonly kind: MigrationKind },
  name: string,
): Promise<number> {
  const made = await newMigration(name, { directory: directory ?? (await folderOf(settingsOf(knex))), kind })
  print.line(`${green('✓')} ${relative(process.cwd(), made.path)}`)
  print.document(made)
  return exitCode.done
}
