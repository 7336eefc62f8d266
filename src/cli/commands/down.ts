import { green, yellow } from '../output/colour.ts'

import { PgvectorMigrationError } from '../../core/errors.ts'
import type { Losses } from '../../migrator/losses/losses.ts'
import { confirm } from '../confirm.ts'
import type { Context } from '../context.ts'
import { describeLosses } from '../output/losses.ts'
import { withConsole } from '../output/quiet-console.ts'
import { withReplayProgress } from '../output/replay-progress.ts'
import { exitCode } from '../exit-code.ts'
import { runOptions, withSignals } from '../run-options.ts'

interface Flags {
  readonly steps?: number
  readonly to?: string
  readonly all?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly transaction: 'each' | 'batch'
  readonly wait: number
}

/** Shows what would be lost, and then rolls back migrations, newest first. */
export async function run(context: Context, { dryRun, yes, wait, transaction, ...selection }: Flags): Promise<number> {
  const { reader, migrator, print } = context
  const names = await reader.preview('down', selection)
  if (names.length === 0) {
    // A run may have been killed between its last migration and the release of its lock.
    if (dryRun !== true) await (await migrator()).unlock().catch(() => undefined)
    print.line('Nothing to roll back')
    print.document({ dryRun: dryRun === true, direction: 'down', migrations: [] })
    return exitCode.done
  }
  if (dryRun === true) for (const name of names) print.line(`would roll back ${name}`)
  const losses = await look(context, selection, wait)
  for (const line of describeLosses(losses)) print.line(line)
  if (dryRun === true) {
    print.line(`${names.length} to roll back; nothing was changed`)
    print.document({ dryRun: true, direction: 'down', migrations: names, losses })
    return exitCode.done
  }
  if (yes !== true && !(await isConfirmed(context, names))) {
    print.line('Nothing was rolled back')
    return exitCode.failure
  }
  const result = await withSignals(async (signal) =>
    (await migrator()).down({ ...selection, transaction, ...runOptions(print, 'down', wait, signal) }),
  )
  for (const { name } of result.migrations) print.line(`${green('✓')} ${name}`)
  print.line(result.migrations.length === 0 ? 'Nothing to roll back' : `Rolled back ${result.migrations.length}`)
  for (const warning of result.warnings) print.note(yellow(warning))
  print.document({ ...result, losses })
  return exitCode.done
}

// Migrations print the same again when they are really rolled back.
async function look(
  { migrator, print, isQuiet }: Context,
  selection: Pick<Flags, 'steps' | 'to' | 'all'>,
  wait: number,
): Promise<Losses> {
  return withConsole(
    () => undefined,
    () =>
      withReplayProgress(print, isQuiet, (onReplay) =>
        withSignals(async (signal) =>
          (await migrator()).losses({ ...selection, ...runOptions(print, 'losses', wait, signal, onReplay) }),
        ),
      ),
  )
}

async function isConfirmed({ isJson }: Context, migrations: readonly string[]): Promise<boolean> {
  if (isJson || !process.stdin.isTTY || !process.stderr.isTTY)
    throw new PgvectorMigrationError('CONFIRMATION_NEEDED', { migrations })
  return confirm(`Roll back ${migrations.join(', ')}?`)
}
