import { green, red, yellow } from '../output/colour.ts'

import { diffVectors } from '../../diff/diff.ts'
import type { VectorDifference } from '../../diff/difference.ts'
import type { Context } from '../context.ts'
import { declaredVectors } from '../declared-vectors.ts'
import { exitCode } from '../exit-code.ts'

interface Flags {
  readonly declared: string
  readonly schema?: string
  readonly exitCode?: boolean
}

/** Something declared and missing counts as pending, like a migration. */
const isPending = ({ kind }: VectorDifference): boolean => !kind.endsWith('not declared')

/** Compares the declarations of a module with the database. */
export async function run({ knex, print }: Context, flags: Flags): Promise<number> {
  const differences = await diffVectors(knex, await declaredVectors(flags.declared), { schema: flags.schema })
  for (const difference of differences) show(difference, print.line)
  if (differences.length === 0) print.line(`${green('✓')} The database is as declared`)
  else if (differences.some(isPending)) {
    print.line()
    print.line(`To write the migration: npx knex-pgvector new --from-diff NAME --declared ${flags.declared}`)
  }
  print.document(differences)
  return flags.exitCode === true && differences.some(isPending) ? exitCode.found : exitCode.done
}

function show(difference: VectorDifference, line: (text: string) => void): void {
  const mark = isPending(difference) ? red('✗') : yellow('⚠')
  line(`${mark} ${difference.kind}: ${difference.name}`)
  if ('problems' in difference) for (const problem of difference.problems) line(`    ${problem}`)
  if ('existing' in difference) line(`    there is: ${difference.existing}`)
  if ('wanted' in difference) line(`    declared: ${difference.wanted}`)
}
