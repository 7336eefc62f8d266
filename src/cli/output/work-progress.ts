import { SingleBar } from 'cli-progress'

import { errorMessage } from '../../core/errors.ts'
import { printable } from '../../core/printable.ts'
import type { WorkEvent } from '../../embeddings/worker/options.ts'
import { remaining } from './build-progress.ts'
import type { Printer } from './printer.ts'

// In a log a line now and then is enough.
const LINES_EVERY = 5000

/** Shows how far a worker is: a bar on a terminal, elsewhere a line every few seconds. */
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
        bar ??= startBar(name, total)
        bar.update(Math.min(filled, total), { left: remaining(event) })
        return
      }
      if (performance.now() - last < LINES_EVERY) return
      last = performance.now()
      print.note(describe(name, event))
    },
  }
}

function startBar(name: string, total: number): SingleBar {
  const bar = new SingleBar({
    format: '{name}  {bar} {percentage} %  {left}',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 24,
  })
  bar.start(total, 0, { name: printable(name), left: '' })
  return bar
}

function describe(name: string, event: WorkEvent): string {
  switch (event.type) {
    case 'progress':
      return `${name}: ${event.filled}${event.total === null ? '' : ` of ${event.total}`} vectors made  ${remaining(event)}`
    case 'retry':
      return `${name}: embed failed (${errorMessage(event.error)}); attempt ${event.attempt} in ${event.milliseconds} ms`
    case 'failed':
      return `${name}: the row with the key ${event.key.join(', ')} was given up: ${event.error}`
    case 'warning':
      return event.message
  }
}
