import { green, yellow } from '../output/colour.ts'

import type { Context } from '../context.ts'
import { withConsole } from '../output/quiet-console.ts'
import { withReplayProgress, type RunEvent } from '../output/replay-progress.ts'
import { exitCode } from '../exit-code.ts'
import { describeEvent } from '../run-options.ts'

interface Flags {
  readonly to?: string
  readonly wait: number
}

/** Records migrations as applied in a database that already has what they create. */
export async function run({ migrator, print, isQuiet }: Context, flags: Flags): Promise<number> {
  const note = (event: RunEvent): void => print.note(describeEvent(event))
  // Migrations are tried out in memory, so what they print has not happened in the database.
  const result = await withConsole(
    () => undefined,
    () => withReplayProgress(print, isQuiet, async (onEvent) => (await migrator()).adopt({ ...flags, onEvent }), note),
  )
  const { adopted, source, unmatched, warnings } = result
  const from = source === 'schema_migrations' ? ' that the table schema_migrations lists' : ''
  for (const { name, objects } of adopted) {
    print.line(`${green('✓')} ${name}: ${objects} ${objects === 1 ? 'object is' : 'objects are'} there`)
  }
  if (unmatched.length > 0)
    print.line(`${yellow('⚠')} schema_migrations also lists what has no file: ${unmatched.join(', ')}`)
  for (const warning of warnings) print.note(yellow(warning))
  print.line(adopted.length === 0 ? `Nothing to adopt${from}` : `Adopted ${adopted.length}${from}`)
  print.document(result)
  return exitCode.done
}
