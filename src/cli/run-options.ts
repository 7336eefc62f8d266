import { cyan, red, yellow } from './output/colour.ts'

import type { MigratorEvent, RunOptions } from '../migrator/events.ts'
import type { LockHolder } from '../core/errors.ts'
import { timeText } from '../core/time-text.ts'
import { isRunningHere } from '../core/running.ts'
import { exitCode } from './exit-code.ts'
import type { RunEvent } from './output/replay-progress.ts'
import { write, writeDocument, type Printer } from './output/printer.ts'
import { wantsJson } from './wants-json.ts'

let stoppedBy: NodeJS.Signals | null = null

/** Returns the signal that stopped the work of this process, or null. */
export function signalThatStopped(): NodeJS.Signals | null {
  return stoppedBy
}

/** Runs work that a signal can stop. The migration is rolled back and the lock is freed before the process ends. */
export async function withSignals<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController()
  const stop = (signal: NodeJS.Signals): void => {
    write(process.stderr, yellow(`${signal}: stopping; a second one ends this process at once`))
    stoppedBy = signal
    controller.abort(signal)
  }
  process.once('SIGINT', stop).once('SIGTERM', stop).once('exit', endedInside)
  try {
    return await work(controller.signal)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop).off('exit', endedInside)
    started = null
  }
}

let started: string | null = null

/** Reports that a migration ended the process, so that a deployment does not treat it as successful. */
function endedInside(code: number): void {
  const during = started === null ? '' : ` during ${started}`
  const message = `This process was ended${during} before its work was done`
  const hint =
    'Take process.exit out of the migration, and let its promise be settled; then run the same command again.'
  write(process.stderr, [`${red('✗')} ${message}`, `  ${yellow('Next')}     ${hint}`])
  if (wantsJson()) writeDocument({ error: { code: null, message, hint, server: null } })
  process.exitCode = code === exitCode.done ? exitCode.failure : code
}

/** The options that `up` and `down` pass to the migrator. */
export function runOptions(
  print: Printer,
  command: string,
  wait: number,
  signal: AbortSignal,
  onReplay?: (event: MigratorEvent) => void,
): RunOptions {
  const onEvent = (event: MigratorEvent): void => {
    if (event.type === 'replaying') return onReplay?.(event)
    started = event.type === 'started' ? event.migration : null
    print.note(describeEvent(event))
  }
  return { command, wait, signal, onEvent }
}

/** Describes an event in one line. */
export function describeEvent(event: RunEvent): string {
  switch (event.type) {
    case 'waiting':
      return yellow(`Waiting for ${describeHolder(event.holder)} …`)
    case 'recovered':
      return yellow(`Freed the lock that was left behind by ${describeHolder(event.holder)}, ${fateOf(event.holder)}`)
    case 'started':
      return cyan(`[${event.index + 1}/${event.total}] ${event.migration} ${event.direction} …`)
    case 'finished':
      return `      ${event.migration} ${event.direction} in ${Math.round(event.milliseconds)} ms`
  }
}

/** Describes a run whose lock was free. Its process may still be alive without the connection. */
export function fateOf(run: LockHolder | null): string {
  return run !== null && isRunningHere(run) ? 'which has lost its connection and is still running' : 'which is gone'
}

/** Describes the holder of the lock. */
export function describeHolder(run: LockHolder | null): string {
  if (run === null) return 'another migration, of which no note was made (stock Knex)'
  return `process ${run.processId} on ${run.host} (user ${run.user ?? 'unknown'}, ${run.command}) since ${timeText(run.since)}`
}
