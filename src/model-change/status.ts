import { identifier } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { countInStep } from '../embeddings/in-step.ts'
import type { VectorTarget } from '../embeddings/target.ts'
import { readChange, type DeclaredChange } from './change-state.ts'
import type { Comparison } from './comparison.ts'
import type { StoredPair } from './pair.ts'
import { nextCommand, type Phase } from './phase.ts'
import { publicationWarnings } from './publications.ts'

/** How far a change of model is. */
export interface ModelChangeStatus {
  /** The phase that runs next: `expand`, `backfill`, `index`, `drain`, `compare`, `switch`, `contract`; or `done`. */
  readonly phase: Phase
  /** The column and the model that searches use now. */
  readonly active: ModelName
  readonly from: ModelName
  readonly to: ModelName
  /** Rows without a vector of the new model, rows with one of an earlier text, and rows that were given up. */
  readonly rows: { readonly missing: number; readonly stale: number; readonly failed: number } | null
  /** What the new model still has to read: the number of texts, and about how many bytes they have. */
  readonly cost: { readonly texts: number; readonly bytes: number } | null
  /** How long that takes at the speed of the last run; null before it. */
  readonly secondsLeft: number | null
  /** Recall and speed of both columns; null before the comparison. */
  readonly comparison: Comparison | null
  /** What to do before the next step, such as on the subscribers of a published table. */
  readonly warnings: readonly string[]
  /** The next command; null if nothing is left to do. */
  readonly next: string | null
}

/** A column with its model. */
export interface ModelName {
  readonly column: string
  readonly model: string
  readonly metric: StoredPair['metric']
}

/** Reads how far a change is. It changes nothing. */
export async function readStatus(session: Session, declared: DeclaredChange): Promise<ModelChangeStatus> {
  const state = await readChange(session, declared)
  const { phase, registry, sourcePair, targetPair, inStep } = state
  const { row } = registry
  const isDone = phase === 'done'
  const counted = inStep === null || isDone || inStep.problems.length > 0 ? null : await countInStep(session, inStep)
  const texts = counted === null ? null : counted.missing + counted.stale
  const bytes = inStep === null || texts === null ? null : await bytesOf(session, inStep.target)
  const speed = row?.speed ?? null
  return {
    phase,
    active: nameOf(row?.active ?? sourcePair),
    from: isDone
      ? nameOf({ ...sourcePair, column: declared.source.column.name, model: declared.source.model })
      : nameOf(sourcePair),
    to: nameOf(targetPair),
    rows: counted === null ? null : { missing: counted.missing, stale: counted.stale, failed: counted.failed },
    cost: texts === null || bytes === null ? null : { texts, bytes: Math.round(texts * bytes) },
    secondsLeft: texts === null || speed === null || speed === 0 ? null : Math.round(texts / speed),
    comparison: row?.compared ?? null,
    warnings: phase === 'expand' ? await publicationWarnings(session, declared, registry.facts) : [],
    next: nextCommand(phase),
  }
}

function nameOf({ column, model, metric }: StoredPair): ModelName {
  return { column, model, metric }
}

const SAMPLE = 1000

// The mean of the first rows.
async function bytesOf(session: Session, { from, alias, read }: VectorTarget): Promise<number> {
  const lengths = read.map(
    ({ name }) => `coalesce(pg_catalog.octet_length(${alias}.${identifier(name)}::pg_catalog.text), 0)`,
  )
  return session.askAsCaller<number>(`select pg_catalog.to_json(coalesce(pg_catalog.avg(bytes), 0)) as state from (
      select ${lengths.join(' operator(pg_catalog.+) ')} as bytes from ${from} as ${alias} limit ${SAMPLE}
    ) as sample`)
}
