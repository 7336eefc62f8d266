import { green, yellow } from '../output/colour.ts'

import type { Context } from '../context.ts'
import { exitCode } from '../exit-code.ts'
import { describeHolder, fateOf } from '../run-options.ts'

/** Frees the migration lock if its holder is gone. */
export async function run({ migrator, print }: Context, flags: { readonly force?: boolean }): Promise<number> {
  const result = await (await migrator()).unlock(flags)
  const { status, holder, isHolderAlive } = result
  const whose = describeHolder(holder)
  if (status === 'free') print.line('Nothing is locked')
  else if (isHolderAlive) {
    print.line(`${yellow('⚠')} Knex's lock was freed, though it is held by ${whose}`)
    print.line('  That process is running: it continues, and other runs of this tool keep waiting for it')
  } else print.line(`${green('✓')} Freed the lock of ${whose}${holder === null ? '' : `, ${fateOf(holder)}`}`)
  print.document(result)
  return exitCode.done
}
