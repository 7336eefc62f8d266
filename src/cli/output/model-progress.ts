import type { SingleBar } from 'cli-progress'

import type { ModelStepOptions } from '../../model-change/change-options.ts'
import type { EmbeddingProgress } from '../../model-change/events.ts'
import { remaining, showProgress } from './build-progress.ts'
import { cyan } from './colour.ts'
import type { Printer } from './printer.ts'
import { LINES_EVERY, startBar } from './progress-bar.ts'
import { counted } from './counted.ts'

const FORMAT = 'embedding  {bar} {percentage} %  {value} of {total} rows  {left}'

/** Shows the progress of a step of a change of model: its phases, and a bar on a terminal or lines elsewhere. */
export function showChange(
  print: Printer,
  isQuiet: boolean,
): { readonly onEvent: NonNullable<ModelStepOptions['onEvent']>; close(): void } {
  const build = showProgress(print, isQuiet)
  const rows = process.stderr.isTTY && !isQuiet ? bar() : lines(print)
  return {
    onEvent: (event) => {
      if (event.type === 'embedding') return rows.show(event)
      rows.close()
      if (event.type === 'phase') return print.note(cyan(`${event.phase} …`))
      build.onEvent(event)
    },
    close: () => {
      rows.close()
      build.close()
    },
  }
}

interface RowsDisplay {
  readonly show: (progress: EmbeddingProgress) => void
  readonly close: () => void
}

function bar(): RowsDisplay {
  let shown: SingleBar | null = null
  return {
    show: (progress) => {
      const total = progress.written + (progress.left ?? 0)
      shown ??= startBar(FORMAT, total, { left: '' })
      shown.setTotal(total)
      shown.update(progress.written, { left: remaining(progress) })
    },
    close: () => {
      shown?.stop()
      shown = null
    },
  }
}

function lines(print: Printer): RowsDisplay {
  let last = performance.now()
  return {
    show: (progress) => {
      if (performance.now() - last < LINES_EVERY) return
      last = performance.now()
      const left = progress.left === null ? '' : `, ${progress.left} left`
      print.note(`${counted(progress.written, 'row')} embedded${left}  ${remaining(progress)}`.trimEnd())
    },
    close: () => undefined,
  }
}
