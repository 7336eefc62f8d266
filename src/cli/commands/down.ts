import type { Context } from '../context.ts'
import { PgvectorMigrationError } from '../../errors.ts'
import { exitCode } from '../report-failure.ts'
import { runOptions, withSignals } from '../run-options.ts'

interface Flags {
  readonly steps: number
  readonly to?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly wait: number
}

/** Undoes migrations, newest first. */
export async function run({ migrator, print }: Context, { dryRun, yes, wait, ...selection }: Flags): Promise<number> {
  const migrations = await migrator.preview('down', selection)
  if (dryRun === true || migrations.length === 0) {
    print.line(migrations.length === 0 ? 'Nothing to undo' : `would undo ${migrations.join(', ')}`)
    print.document({ dryRun: dryRun === true, direction: 'down', migrations })
    return exitCode.done
  }
  if (yes !== true) throw new PgvectorMigrationError('CONFIRMATION_NEEDED', { migrations })
  const result = await withSignals((signal) =>
    migrator.down({ ...selection, ...runOptions(print, 'down', wait, signal) }),
  )
  for (const { name } of result.migrations) print.line(`✓ ${name} undone`)
  print.document(result)
  return exitCode.done
}
