import { green, red, yellow } from 'colorette'

import type { MigrationStatus } from '../../runner/status.ts'
import type { Context } from '../context.ts'
import { exitCode } from '../exit-code.ts'

const shown = {
  applied: { mark: green('✓'), word: 'APPLIED' },
  pending: { mark: yellow('○'), word: 'PENDING' },
  missing: { mark: red('✗'), word: 'APPLIED, FILE MISSING' },
} as const satisfies Record<MigrationStatus['state'], { readonly mark: string; readonly word: string }>

/** Shows each migration, applied or pending. */
export async function run({ migrator, print }: Context, flags: { readonly exitCode?: boolean }): Promise<number> {
  const migrations = await migrator.status()
  const applied = migrations.filter(({ state }) => state !== 'pending').length
  const pending = migrations.length - applied
  print.line('Migration Status')
  print.line('='.repeat(50))
  for (const { name, state } of migrations) print.line(`  ${shown[state].mark} ${name}: ${shown[state].word}`)
  print.line()
  print.line(`Applied: ${applied} / ${migrations.length}`)
  print.document({ migrations, applied, pending })
  return flags.exitCode === true && pending > 0 ? exitCode.pending : exitCode.done
}
