import type { RunningChange } from '../model-change/running.ts'
import { findingsOf, type Finding } from './finding.ts'

const { ok, warning } = findingsOf('embeddings')

/** Reports each running change of model with its phase and the next command. */
export function modelChangeFindings(running: readonly RunningChange[]): Finding[] {
  return running.map(({ schema, table, from, to, phase, next }) => {
    const what = `a change of ${table}.${from.column} from the model ${from.model} to ${to.model}`
    if (phase !== null) return ok(`${what} is running: the next phase is ${phase}`, next ?? undefined)
    return warning(
      `${what} was begun, and the table ${schema}.${table} does not exist`,
      `If it was renamed, rename it back until the change is contracted. If it was dropped, delete its row from ${schema}.pgvector_embeddings`,
    )
  })
}
