import { createVectorIndex } from '../indexes/build/create-vector-index.ts'
import type { Session } from '../database/session.ts'
import type { ParsedAdvanceOptions } from './change-options.ts'
import { readChange, type ChangeState, type DeclaredChange } from './change-state.ts'
import { compare } from './compare.ts'
import { expand } from './expand.ts'
import { fill } from './fill.ts'
import { isAfter, type Phase } from './phase.ts'
import { updateSql } from './registry.ts'

/** Runs one phase after the other, up to and including `until`. It begins with the phase that a stopped run was in. */
export async function advance(session: Session, declared: DeclaredChange, needs: ParsedAdvanceOptions): Promise<void> {
  const filled = new Set<Phase>()
  for (let before: Phase | null = null; ;) {
    const state = await readChange(session, declared)
    // While the application writes, new rows to embed never end. The switch embeds them once more.
    const phase: Phase = filled.has(state.phase)
      ? AFTER_FILLING[state.phase as keyof typeof AFTER_FILLING]
      : state.phase
    if (isAfter(phase, needs.until) || phase === before || needs.signal?.aborted === true) return
    needs.onEvent?.({ type: 'phase', phase })
    const isFinished: boolean = await steps[phase](session, state, needs)
    if (isFinished && phase in AFTER_FILLING) filled.add(phase)
    before = phase
  }
}

const AFTER_FILLING = { backfill: 'index', drain: 'compare' } as const satisfies Partial<Record<Phase, Phase>>

type Step = (session: Session, state: ChangeState, needs: ParsedAdvanceOptions) => Promise<boolean>

const nothing: Step = () => Promise.resolve(true)

/** What runs a phase; each returns whether it came to its end. */
const steps = {
  expand: async (session, state, needs) => {
    await expand(session, state, needs)
    return true
  },
  backfill: fill,
  index: async (session, state, { maxMemory, lockTimeout, wait, signal, onEvent, logger, log }) => {
    await createVectorIndex(session.knex, state.index, {
      maxMemory,
      lockTimeout,
      wait,
      signal,
      onEvent,
      logger,
      log,
      // An ivfflat index of an empty table would have almost no recall, but there is nothing to find either.
      whenEmpty: 'build',
    })
    return true
  },
  drain: fill,
  compare: async (session, state, { signal }) => {
    const compared = await compare(session, state, signal)
    await session.send(updateSql(state.table, state.source.column.name, { compared }))
    return true
  },
  switch: nothing,
  contract: nothing,
  done: nothing,
} as const satisfies Record<Phase, Step>
