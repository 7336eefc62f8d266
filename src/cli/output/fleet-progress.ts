import type { SingleBar } from 'cli-progress'

import { millisecondsText } from '../../core/time-text.ts'
import type { FleetEvent } from '../../fleet/options.ts'
import { yellow } from './colour.ts'
import { LINES_EVERY, startBar } from './progress-bar.ts'
import type { Printer } from './printer.ts'

interface Counts {
  readonly total: number
  readonly ended: number
  readonly failed: number
}

/** Runs a fleet and shows its progress: a bar on a terminal, elsewhere a line every few seconds. */
export async function withFleetProgress<Result>(
  print: Printer,
  isQuiet: boolean,
  work: (onEvent: (event: FleetEvent) => void) => Promise<Result>,
): Promise<Result> {
  const start = performance.now()
  const show = process.stderr.isTTY && !isQuiet ? barOf() : linesOf(print)
  let counts: Counts = { total: 0, ended: 0, failed: 0 }
  try {
    return await work((event) => {
      const note = noteOf(event)
      if (note !== null) {
        show.close()
        print.note(note)
      }
      counts = counted(counts, event)
      if (counts.total > 0) show.update(counts, leftText(counts, performance.now() - start))
    })
  } finally {
    show.close()
  }
}

interface Display {
  readonly update: (counts: Counts, left: string) => void
  readonly close: () => void
}

function counted(counts: Counts, event: FleetEvent): Counts {
  if (event.type === 'planned') return { ...counts, total: event.tenants }
  if (event.type === 'finished') return { ...counts, ended: counts.ended + 1 }
  if (event.type === 'failed') return { ...counts, ended: counts.ended + 1, failed: counts.failed + 1 }
  return counts
}

function noteOf(event: FleetEvent): string | null {
  if (event.type === 'failed')
    return yellow(`${event.tenant}: ${event.migration ?? event.code ?? 'failed'}: ${event.message}`)
  if (event.type === 'busy') return yellow(`${event.tenant}: another run is migrating it; it is tried again later`)
  return null
}

function leftText({ total, ended }: Counts, elapsed: number): string {
  if (ended === 0 || ended >= total) return ''
  return `${millisecondsText((elapsed / ended) * (total - ended))} left`
}

function barOf(): Display {
  let bar: SingleBar | null = null
  return {
    update: ({ total, ended, failed }, left) => {
      bar ??= startBar('Tenants  {bar} {value}/{total}  {failed} failed  {left}', total, { failed: '0', left: '' })
      bar.update(ended, { failed: String(failed), left })
    },
    close: () => {
      bar?.stop()
      bar = null
    },
  }
}

function linesOf(print: Printer): Display {
  let last = performance.now()
  return {
    update: ({ total, ended, failed }, left) => {
      const now = performance.now()
      if (now - last < LINES_EVERY) return
      last = now
      print.note(`${ended}/${total} tenants, ${failed} failed  ${left}`.trimEnd())
    },
    close: () => undefined,
  }
}
