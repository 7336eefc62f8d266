import { readdir } from 'node:fs/promises'
import { join, parse, relative } from 'node:path'

import { green } from '../output/colour.ts'

import { PgvectorMigrationError } from '../../core/errors.ts'
import { folderOf, newMigration } from '../../scaffold/new-migration.ts'
import type { MigrationKind } from '../../scaffold/templates.ts'
import { diffVectors } from '../../diff/diff.ts'
import type { VectorDifference } from '../../diff/difference.ts'
import type { MigrationReader } from '../../migrator/reader.ts'
import { findDuplicate } from '../../scaffold/pending-duplicate.ts'
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
  { knex, reader, template, print }: Context,
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
  if (differences !== undefined) await assertNotPending(reader, directory, differences)
  const made = await newMigration(name, { ...template, directory, kind, differences })
  print.line(`${green('✓')} ${relative(process.cwd(), made.path)}`)
  print.document(made)
  return exitCode.done
}

// Until a migration is applied the database lacks what it creates, so the same one would be generated a second time.
async function assertNotPending(
  reader: MigrationReader,
  directory: string,
  differences: readonly VectorDifference[],
): Promise<void> {
  const files = await readdir(directory).catch((): string[] => [])
  if (files.length === 0) return
  const migrations = await reader.status()
  const pending = new Set(migrations.filter(({ state }) => state === 'pending').map(({ name }) => parse(name).name))
  const paths = files
    .filter((file) => pending.has(parse(file).name))
    .map((file) => ({ name: file, path: join(directory, file) }))
  const duplicate = await findDuplicate(differences, paths)
  if (duplicate === null) return
  const hint = 'It is pending and creates the same. Apply it (npx knex-pgvector up) or delete it, then run this again.'
  throw new PgvectorMigrationError('MIGRATION_EXISTS', duplicate, { hint })
}

function pathOf(declared: string | undefined): string {
  if (declared !== undefined) return declared
  const problems = ['--declared: name the module that exports what vectorColumn and vectorIndex made']
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
}
