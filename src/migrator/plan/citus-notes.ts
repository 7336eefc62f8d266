import { citusFunctionsIn } from '../replay/citus-functions.ts'
import { hasCitus, type Surroundings } from '../replay/surroundings.ts'
import type { PlannedMigration } from './result.ts'

/** Names the functions of Citus that did nothing in the embedded copy. */
export function citusNotes(migrations: readonly PlannedMigration[], surroundings: Surroundings): string[] {
  if (!hasCitus(surroundings)) return []
  return migrations.flatMap(({ name, statements }) => {
    const called = new Set(statements.flatMap(({ sql }) => citusFunctionsIn(sql)))
    if (called.size === 0) return []
    return [
      `${name} calls ${[...called].join(', ')}: a function of Citus, which does nothing in the embedded copy. What Citus refuses ` +
        'for a distributed table is not in the plan.',
    ]
  })
}
