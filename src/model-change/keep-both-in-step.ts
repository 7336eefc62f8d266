import type { Database } from '../database/session.ts'
import { keepInStep } from '../embeddings/keep-in-step.ts'
import type { KeepInStepOptions } from '../embeddings/worker/options.ts'
import { sessionOf } from '../database/session.ts'
import { readChange, type DeclaredChange } from './change-state.ts'

/** Runs a worker for each column that exists and is kept in step, until the signal aborts. */
export async function keepBothInStep(
  db: Database,
  declared: DeclaredChange,
  options: Omit<KeepInStepOptions, 'embed'>,
): Promise<void> {
  const { source, target } = declared
  const { registry, inStep } = await readChange(sessionOf(db), declared)
  const has = (name: string): boolean => registry.facts.columns.some((each) => each.name === name)
  const kept = [
    ...(has(source.column.name) ? [source] : []),
    ...(inStep === null || inStep.problems.length > 0 ? [] : [target]),
  ]
  const failed = new AbortController()
  const signal = AbortSignal.any([failed.signal, ...(options.signal === undefined ? [] : [options.signal])])
  await Promise.all(
    kept.map((each) =>
      keepInStep(db, each, { ...options, signal }).catch((error: unknown) => {
        failed.abort()
        throw error
      }),
    ),
  )
}
