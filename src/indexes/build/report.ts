import type { Logger } from '../../core/options.ts'
import { identifier } from '../../core/sql.ts'
import { adviceFor } from '../decide/advice.ts'
import type { BuildProgress, IndexBuildEvent } from './options.ts'
import type { VectorIndex } from '../vector-index.ts'

/** Reports the progress of a build: to the caller as events and warnings, and to the user through the logger. */
export interface BuildReport {
  readonly warnings: readonly string[]
  readonly warn: (message: string) => void
  /** Receives a notice of the connection that builds. */
  readonly notice: (message: string) => void
  readonly progress: (progress: BuildProgress) => void
  readonly waiting: (reason: WaitingFor, blockers: readonly number[]) => void
}

export type WaitingFor = Extract<IndexBuildEvent, { readonly type: 'waiting' }>['for']

const reasons = {
  lock: 'the table is locked',
  build: 'another index is being built on the table',
  transactions: 'earlier transactions are still open',
} as const satisfies Record<WaitingFor, string>

export function reportOn(
  index: VectorIndex,
  onEvent: ((event: IndexBuildEvent) => void) | undefined,
  logger: Logger,
): BuildReport {
  const warnings: string[] = []
  const warn = (message: string): void => {
    if (warnings.includes(message)) return
    warnings.push(message)
    logger.warn(message)
    onEvent?.({ type: 'warning', index: index.name, message })
  }
  return {
    warnings,
    warn,
    notice: (message) => {
      const advice = adviceFor(message, index)
      if (advice !== null) warn(advice)
    },
    progress: (progress) => onEvent?.({ type: 'progress', index: index.name, ...progress }),
    waiting: waitingReport(identifier(index.name), logger, (reason, blockers) =>
      onEvent?.({ type: 'waiting', index: index.name, for: reason, blockers }),
    ),
  }
}

/**
 * Reports what a build waits for, once for the same reason and the same backends, although it is checked repeatedly.
 */
export function waitingReport(
  name: string,
  logger: Logger,
  onWaiting?: BuildReport['waiting'],
): BuildReport['waiting'] {
  let waited = ''
  return (reason, blockers) => {
    const said = `${reason} ${blockers.join()}`
    if (said === waited) return
    waited = said
    onWaiting?.(reason, blockers)
    const who = blockers.length === 0 ? '' : ` (backend PID ${blockers.join(', ')})`
    logger.info(`${name} waits: ${reasons[reason]}${who}`)
  }
}
