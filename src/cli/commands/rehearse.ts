import { stripVTControlCharacters } from 'node:util'

import { dim, yellow } from '../output/colour.ts'

import { isPgvectorMigrationError } from '../../core/errors.ts'
import { printableLines } from '../../core/printable.ts'
import type { Rehearsal } from '../../migrator/rehearse/rehearse.ts'
import type { Context } from '../context.ts'
import { describeRehearsed } from '../output/rehearsed.ts'
import { withConsole } from '../output/quiet-console.ts'
import { redact } from '../../sql-text/redact.ts'
import { exitCode } from '../exit-code.ts'
import { reportFailure } from '../output/failure.ts'
import { runOptions, withSignals } from '../run-options.ts'

interface Flags {
  readonly to?: string
  readonly only?: string
  readonly skip?: readonly string[]
  readonly lockTimeout: number
  readonly wait: number
}

/** Executes the pending migrations in a transaction that is rolled back, and shows what they did. */
export async function run({ migrator, print }: Context, { wait, ...choice }: Flags): Promise<number> {
  const rehearsal = await withConsole(
    (text) => print.note(printableLines(stripVTControlCharacters(text)).map((line) => dim(`      ${line}`))),
    () =>
      withSignals(async (signal) =>
        (await migrator()).rehearse({ ...choice, ...runOptions(print, 'rehearse', wait, signal) }),
      ),
  )
  const { migrations, warnings } = rehearsal
  for (const line of describeRehearsed(migrations)) print.line(line)
  for (const warning of warnings) print.line(`${yellow('⚠')} ${warning}`)
  print.line(migrations.length === 0 ? 'Nothing to rehearse' : 'Rolled back: nothing was changed')
  print.document(documentOf(rehearsal))
  const { error } = migrations.find(({ state }) => state === 'failed') ?? {}
  return error === undefined ? exitCode.done : reportFailure(error, false)
}

function documentOf({ migrations, warnings }: Rehearsal): unknown {
  return {
    migrations: migrations.map(({ statements, error, ...migration }) => ({
      ...migration,
      statements: statements.map(({ sql, ...statement }) => ({ sql: redact(sql), ...statement })),
      ...(error === undefined ? {} : { error: errorOf(error) }),
    })),
    warnings,
  }
}

function errorOf(error: unknown): unknown {
  if (!isPgvectorMigrationError(error)) return { message: String(error) }
  const { code, message, hint, details, sqlState, cause } = error
  const said = cause instanceof Error ? cause.message : null
  return { code, message, hint, details, sqlState: sqlState ?? null, cause: said === null ? null : redact(said) }
}
