import { relative } from 'node:path'

import { green } from '../output/colour.ts'

import { PgvectorMigrationError } from '../../core/errors.ts'
import { folderOf, newMigration } from '../../scaffold/new-migration.ts'
import type { MigrationKind } from '../../scaffold/templates.ts'
import { diffVectors } from '../../diff/diff.ts'
import type { Context } from '../context.ts'
import { declaredVectors } from '../declared-vectors.ts'
import { exitCode } from '../exit-code.ts'

interface Flags {
  readonly kind: MigrationKind
  readonly directory?: string
  readonly fromDiff?: boolean
  readonly declared?: string
}

/** Writes a new migration file. */
export async function run(
  { knex, template, print }: Context,
  { kind, fromDiff, declared, ...flags }: Flags,
  name: string,
): Promise<number> {
  const differences = fromDiff === true ? await diffVectors(knex, await declaredVectors(pathOf(declared))) : undefined
  if (differences?.length === 0) {
    print.line('The database is as declared; nothing was written')
    print.document(null)
    return exitCode.done
  }
  const directory = flags.directory ?? (await folderOf(knex))
  const made = await newMigration(name, { ...template, directory, kind, differences })
  print.line(`${green('✓')} ${relative(process.cwd(), made.path)}`)
  print.document(made)
  return exitCode.done
}

function pathOf(declared: string | undefined): string {
  if (declared !== undefined) return declared
  const problems = ['--declared: name the module that exports what vectorColumn and vectorIndex made']
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
}
