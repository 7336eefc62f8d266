import { green, red, yellow } from '../output/colour.ts'

import { isPgvectorMigrationError } from '../../core/errors.ts'
import type { MigrationReader } from '../../migrator/reader.ts'
import type { MigrationStatus } from '../../migrator/status.ts'
import type { Context } from '../context.ts'
import { exitCode } from '../exit-code.ts'
import { collecting } from '../output/collecting.ts'

const shown = {
  applied: { mark: green('✓'), word: 'APPLIED' },
  pending: { mark: yellow('○'), word: 'PENDING' },
  missing: { mark: red('✗'), word: 'APPLIED, FILE MISSING' },
} as const satisfies Record<MigrationStatus['state'], { readonly mark: string; readonly word: string }>

/** Shows each migration, applied or pending. */
export async function run({ reader, print }: Context, flags: { readonly exitCode?: boolean }): Promise<number> {
  const warnings: string[] = []
  const migrations = await reader.status({ logger: collecting(warnings) })
  const applied = migrations.filter(({ state }) => state !== 'pending').length
  const pending = migrations.length - applied
  print.line('Migration Status')
  print.line('='.repeat(50))
  for (const { name, state, isOutOfOrder } of migrations)
    print.line(`  ${shown[state].mark} ${name}: ${shown[state].word}${isOutOfOrder ? ', OUT OF ORDER' : ''}`)
  print.line()
  print.line(`Applied: ${applied} / ${migrations.length}`)
  const hint =
    (migrations.some(({ state }) => state === 'missing') ? await adviceOf(reader) : null) ?? orderAdvice(migrations)
  if (hint !== null) print.line(`Next: ${hint}`)
  for (const warning of warnings) print.note(yellow(warning))
  print.document({ migrations, applied, pending, ...(hint === null ? {} : { hint }), warnings })
  return flags.exitCode === true && pending > 0 ? exitCode.found : exitCode.done
}

function orderAdvice(migrations: readonly MigrationStatus[]): string | null {
  const late = migrations.filter(({ isOutOfOrder }) => isOutOfOrder).map(({ name }) => name)
  const last = migrations.findLast(({ state }) => state !== 'pending')?.name
  if (late.length === 0 || last === undefined) return null
  const [which, those] = late.length === 1 ? [late[0], 'it'] : [late.join(', '), 'them']
  return `check that ${which} can run after ${last}, which comes later and was applied; \`up\` applies ${those}. Or give ${those} a later number.`
}

/** What a run would report about missing files. */
async function adviceOf(reader: MigrationReader): Promise<string | null> {
  return reader.preview('up').then(
    () => null,
    (error: unknown) => (isPgvectorMigrationError(error) ? error.hint : null),
  )
}
