import { relative } from 'node:path'

import { green } from 'colorette'

import { folderOf, newMigration } from '../../runner/new-migration.ts'
import type { MigrationKind } from '../../runner/migration-templates.ts'
import { settingsOf } from '../../runner/settings.ts'
import { diffVectors } from '../../vectors/diff.ts'
import type { Context } from '../context.ts'
import { declaredVectors } from '../declared-vectors.ts'
import { exitCode } from '../report-failure.ts'

/** Writes a new migration file. */
export async function run(
  { knex, directory, print }: Context,
  { kind, fromDiff }: { readonly kind: MigrationKind; readonly fromDiff?: string },
  name: string,
): Promise<number> {
  const differences = fromDiff === undefined ? undefined : await diffVectors(knex, await declaredVectors(fromDiff))
  if (differences?.length === 0) {
    print.line('The database is as declared; nothing was written')
    print.document(null)
    return exitCode.done
  }
  const into = directory ?? (await folderOf(settingsOf(knex)))
  const made = await newMigration(name, { directory: into, kind, differences })
  print.line(`${green('✓')} ${relative(process.cwd(), made.path)}`)
  print.document(made)
  return exitCode.done
}
