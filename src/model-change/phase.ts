/** The phases of a change of model, in order. `done` is reached when the old column is dropped. */
export const phases = ['expand', 'backfill', 'index', 'drain', 'compare', 'switch', 'contract', 'done'] as const

/** A phase of a change of model. */
export type Phase = (typeof phases)[number]

/** What determines the phase. Everything but the first and the last two is read from the catalog and the table. */
export interface PhaseFacts {
  /** Whether the registry has this change. */
  readonly isBegun: boolean
  /** Whether the new column exists with everything that keeps it in step. */
  readonly isExpanded: boolean
  /** Whether rows have no vector of the new model. */
  readonly hasMissing: boolean
  /** Whether rows have a vector that was made of an earlier text. */
  readonly hasStale: boolean
  readonly hasIndex: boolean
  readonly isCompared: boolean
  /** Whether the new pair is the active one. */
  readonly isSwitched: boolean
}

/** Returns the phase that runs next. */
export function phaseOf(facts: PhaseFacts): Phase {
  const { isBegun, isExpanded, hasMissing, hasStale, hasIndex, isCompared, isSwitched } = facts
  if (!isBegun) return isSwitched ? 'done' : 'expand'
  if (isSwitched) return 'contract'
  if (!isExpanded) return 'expand'
  if (!hasIndex) return hasMissing ? 'backfill' : 'index'
  if (isCompared) return 'switch'
  return hasMissing || hasStale ? 'drain' : 'compare'
}

/** Whether a phase comes after another one. */
export function isAfter(phase: Phase, other: Phase): boolean {
  return phases.indexOf(phase) > phases.indexOf(other)
}

/** Returns the command that runs a phase; null if nothing is left to do. */
export function nextCommand(phase: Phase): string | null {
  if (phase === 'done') return null
  const action = phase === 'switch' || phase === 'contract' ? phase : 'advance'
  return `npx knex-pgvector model ${action}`
}
