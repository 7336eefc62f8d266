import { PgvectorMigrationError } from '../../core/errors.ts'
import { loggerFrom } from '../../database/logger.ts'
import type { Session } from '../../database/session.ts'
import type { Embed, Embedding } from '../embedding.ts'
import { assertKeptInStep, readInStepState, type InStepState } from '../state.ts'
import { assertWritable } from '../target.ts'
import { inStepSource, type LeasedSource } from './in-step-source.ts'
import { limitsFor } from './limits.ts'
import type { ParsedKeepInStepOptions } from './options.ts'
import type { PolicyParts } from './policies.ts'
import type { WorkPolicy } from './policy.ts'
import { reportWork, type WorkReport } from './report.ts'
import { runWork, type WorkResult } from './run.ts'
import { createWake, type Wake } from './wake.ts'

/** A worker of an embedding that is ready to run. */
export interface InStepWorker {
  readonly state: InStepState
  readonly source: LeasedSource
  readonly report: WorkReport
  readonly wake: Wake
  run(policy: (parts: PolicyParts) => WorkPolicy): Promise<WorkResult>
}

type WorkerNeeds = Omit<ParsedKeepInStepOptions, 'poll' | 'listen' | 'settle'> & { readonly settle: number }

/** Checks that rows are marked and that this role may write their vectors, and prepares a worker. */
export async function prepareWorker(
  session: Session,
  embedding: Embedding,
  needs: WorkerNeeds,
  count: (state: InStepState) => Promise<number | null>,
): Promise<InStepWorker> {
  const embed: Embed<Readonly<Record<string, unknown>>> | null = needs.embed ?? embedding.embed
  if (embed === null) {
    throw new PgvectorMigrationError('INVALID_OPTIONS', {
      problems: ['embed: is needed here, because the embedding was declared without it'],
    })
  }
  const state = await readInStepState(session, embedding)
  assertKeptInStep(state)
  assertWritable(state.found, state.target)
  const source = inStepSource(session, state, needs)
  const report = reportWork(state.label, await count(state), needs.onEvent, loggerFrom(needs.logger))
  const wake = createWake()
  return {
    state,
    source,
    report,
    wake,
    run: async (policy) => {
      const live = new Set<string>()
      const { attempts, retryDelay, timeout, concurrency } = needs
      const renewal = setInterval(() => {
        // A renewal that fails is tried again. Until the lease is over, nothing is lost.
        if (live.size > 0) void source.renew([...live]).catch(() => undefined)
      }, needs.lease / RENEWALS)
      try {
        return await runWork({
          source,
          column: state.target.column,
          model: {
            embed,
            attempts,
            retryDelay,
            timeout,
            signal: needs.signal ?? new AbortController().signal,
            onRetry: report.retry,
          },
          limits: limitsFor(state.target.column, needs),
          concurrency,
          policy: policy({ label: state.label, source, report, attempts, retryDelay }),
          report,
          wake,
          live,
        })
      } finally {
        clearInterval(renewal)
      }
    },
  }
}

// A lease survives two renewals that fail.
const RENEWALS = 3
