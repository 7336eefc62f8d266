import type { SingleBar } from 'cli-progress'

import { secondsText } from '../../core/time-text.ts'
import { printable } from '../../core/printable.ts'
import type { IndexBuildEvent } from '../../indexes/build/options.ts'
import { LINES_EVERY, startBar } from './progress-bar.ts'
import type { Printer } from './printer.ts'

const FORMAT = '{index}  {bar} {percentage} %  {phase}  {left}'

/** Shows the progress of a build: a bar on a terminal, elsewhere a line every few seconds. */
export interface ProgressDisplay {
  readonly onEvent: (event: IndexBuildEvent) => void
  /** Removes the bar of a build. */
  close(): void
}

export function showProgress(print: Printer, isQuiet: boolean): ProgressDisplay {
  return process.stderr.isTTY && !isQuiet ? bars(print) : lines(print)
}

function bars(print: Printer): ProgressDisplay {
  let bar: SingleBar | null = null
  const close = (): void => {
    bar?.stop()
    bar = null
  }
  return {
    close,
    onEvent: (event) => {
      if (event.type !== 'progress') {
        close()
        print.note(describe(event))
        return
      }
      bar ??= startBar(FORMAT, 100, { index: printable(event.index), phase: '', left: '' })
      bar.update(event.percent ?? 0, { phase: printable(event.phase), left: remaining(event) })
    },
  }
}

function lines(print: Printer): ProgressDisplay {
  let last = -LINES_EVERY
  let phase = ''
  return {
    close: () => undefined,
    onEvent: (event) => {
      const now = performance.now()
      if (event.type === 'progress' && event.phase === phase && now - last < LINES_EVERY) return
      if (event.type === 'progress') [last, phase] = [now, event.phase]
      print.note(describe(event))
    },
  }
}

function describe(event: IndexBuildEvent): string {
  switch (event.type) {
    case 'progress': {
      const percent = event.percent === null ? '' : ` ${event.percent} %`
      return `${event.index}: ${event.phase}${percent}  ${remaining(event)}`.trimEnd()
    }
    case 'waiting': {
      const who = event.blockers.length === 0 ? '' : ` (process ${event.blockers.join(', ')} of the server)`
      return `${event.index}: waiting for the ${event.for === 'transactions' ? 'end of older transactions' : event.for}${who}`
    }
    case 'warning':
      return `${event.index}: ${event.message}`
  }
}

/** Describes the speed of a build and the time left, if they are known. */
export function remaining({
  rowsPerSecond,
  secondsLeft,
}: {
  readonly rowsPerSecond: number | null
  readonly secondsLeft: number | null
}): string {
  return [
    ...(rowsPerSecond === null ? [] : [`${rowsPerSecond.toLocaleString('en')} rows/s`]),
    ...(secondsLeft === null ? [] : [`${secondsText(secondsLeft)} left`]),
  ].join(', ')
}
