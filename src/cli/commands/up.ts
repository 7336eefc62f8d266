import { green, yellow } from '../output/colour.ts'

import type { Context } from '../context.ts'
import { exitCode } from '../exit-code.ts'
import { runOptions, withSignals } from '../run-options.ts'

interface Flags {
  readonly to?: string
  readonly only?: string
  readonly skip?: readonly string[]
  readonly dryRun?: boolean
  readonly transaction: 'each' | 'batch'
  readonly wait: number
}

/** Applies pending migrations. */
export async function run(
  { reader, migrator, print }: Context,
  { dryRun, wait, transaction, ...selection }: Flags,
): Promise<number> {
  if (dryRun === true) {
    const names = await reader.preview('up', selection)
    const pending = await reader.status()
    const late = new Set(pending.filter(({ isOutOfOrder }) => isOutOfOrder).map(({ name }) => name))
    for (const name of names) print.line(`would apply ${name}${late.has(name) ? ', out of order' : ''}`)
    print.line(`${names.length} to apply; nothing was changed`)
    print.document({
      dryRun: true,
      direction: 'up',
      migrations: names,
      outOfOrder: names.filter((name) => late.has(name)),
    })
    return exitCode.done
  }
  const result = await withSignals(async (signal) =>
    (await migrator()).up({ ...selection, transaction, ...runOptions(print, 'up', wait, signal) }),
  )
  for (const { name } of result.migrations) print.line(`${green('✓')} ${name}`)
  print.line(result.migrations.length === 0 ? 'Nothing to apply' : `Applied ${result.migrations.length}`)
  if (result.skipped.length > 0) print.line(`Still pending: ${result.skipped.join(', ')}`)
  for (const warning of result.warnings) print.note(yellow(warning))
  print.document(result)
  return exitCode.done
}
