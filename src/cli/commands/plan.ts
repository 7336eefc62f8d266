import { bold, gray, yellow } from '../output/colour.ts'

import { printableLines } from '../../core/printable.ts'
import type { PlannedMigration, PlannedStatement, PlanResult } from '../../migrator/plan/result.ts'
import { planScript } from '../../migrator/plan/script.ts'
import type { Context } from '../context.ts'
import type { Printer } from '../output/printer.ts'
import { redact, redactAll } from '../../sql-text/redact.ts'
import { describeForecasts } from '../output/forecast.ts'
import { withReplayProgress } from '../output/replay-progress.ts'
import { exitCode } from '../exit-code.ts'
import { divertConsole } from '../output/quiet-console.ts'

interface Flags {
  readonly to?: string
  readonly only?: string
  readonly skip?: readonly string[]
  readonly script?: boolean
  readonly forecast?: boolean
}

/** Shows the SQL of the pending migrations. */
export async function run({ migrator, print, isQuiet }: Context, { script, ...selection }: Flags): Promise<number> {
  // The output may be saved and run by psql, so what migrations print must not be part of it.
  divertConsole(isQuiet)
  const result = await withReplayProgress(print, isQuiet, async (onEvent) =>
    (await migrator()).plan({ ...selection, onEvent }),
  )
  print.document(redactAll(result))
  if (script === true) {
    const notes = [...result.notes, ...passwordNote(result)]
    for (const note of notes) print.note(yellow(`Note: ${note}`))
    print.exact(planScript({ ...result, notes }))
    return exitCode.done
  }
  for (const migration of result.migrations) showMigration(migration, print)
  if (result.migrations.length === 0) print.line('Nothing is pending')
  if (result.forecasts !== undefined) print.line(describeForecasts(result.forecasts))
  for (const note of result.notes) print.line(yellow(`Note: ${redact(note)}`))
  return exitCode.done
}

// A script without their statements would not do what the migrations do.
function passwordNote({ migrations }: PlanResult): string[] {
  const names = migrations
    .filter(({ statements }) => statements.some(({ sql }) => redact(sql) !== sql))
    .map(({ name }) => name)
  return names.length === 0 ? [] : [`A password of ${names.join(', ')} stands in this script: keep it as a secret.`]
}

/** Prints the statements of a planned migration. */
export function showMigration({ name, transactional, statements }: PlannedMigration, print: Printer): void {
  print.line(`${bold(name)}${transactional ? '' : gray(' (outside a transaction)')}`)
  for (const statement of statements) print.line(indented(statement))
  if (statements.length === 0) print.line('  (nothing)')
  print.line()
}

function indented({ sql, privileged }: PlannedStatement): string[] {
  const [first = '', ...others] = printableLines(redact(sql))
  const depths = others.filter((text) => text.trim() !== '').map((text) => text.search(/\S/))
  // Removes the indentation that the statement has in its migration.
  const depth = depths.length === 0 ? 0 : Math.min(...depths)
  const lines = [first, ...others.map((other) => other.slice(depth))].map((each) => `  ${each}`.trimEnd())
  const end = `;${privileged ? yellow('  -- needs a privileged role') : ''}`
  return lines.map((line, index) => (index === lines.length - 1 ? `${line}${end}` : line))
}
