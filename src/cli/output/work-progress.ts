import type { SingleBar } from 'cli-progress'

import { errorMessage } from '../../core/errors.ts'
import { printable } from '../../core/printable.ts'
import type { WorkEvent } from '../../embeddings/worker/options.ts'
import { remaining } from './build-progress.ts'
import type { Printer } from './printer.ts'
import { LINES_EVERY, startBar } from './progress-bar.ts'

const FORMAT = '{name}  {bar} {percentage} %  {left}'

/** Shows the progress of a worker: a bar on a terminal, elsewhere a line every few seconds. */
export interface WorkDisplay {
  readonly onEvent: (event: WorkEvent) => void
  /** Removes the bar. */
  close(): void
}

export function showWork(print: Printer, name: string, isPlain: boolean): WorkDisplay {
  let bar: SingleBar | null = null
  let last = -LINES_EVERY
  const close = (): void => {
    bar?.stop()
    bar = null
  }
  return {
    close,
    onEvent: (event) => {
      if (event.type !== 'progress') {
        close()
        print.note(describe(name, event))
        return
      }
      const { filled, total } = event
      if (process.stderr.isTTY && !isPlain && total !== null) {
        bar ??= startBar(FORMAT, total, { name: printable(name), left: '' })
        bar.update(Math.min(filled, total), { left: remaining(event) })
        return
      }
      if (performance.now() - last < LINES_EVERY) return
      last = performance.now()
      print.note(describe(name, event))
    },
  }
}

function describe(name: string, event: WorkEvent): string {
  switch (event.type) {
    case 'progress':
      return `${name}: ${event.filled}${event.total === null ? '' : ` of ${event.total}`} vectors generated  ${remaining(event)}`
    case 'retry':
      return `${name}: embed failed (${errorMessage(event.error)}); attempt ${event.attempt} in ${event.milliseconds} ms`
    case 'failed':
      return `${name}: the row with the key ${event.key.join(', ')} was given up: ${event.error}`
    case 'warning':
      return event.message
  }
}
