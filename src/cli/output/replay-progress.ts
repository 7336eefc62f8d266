import { setFlagsFromString } from 'node:v8'

import type { SingleBar } from 'cli-progress'

import { printable } from '../../core/printable.ts'
import type { MigratorEvent } from '../../migrator/events.ts'
import { LINES_EVERY, startBar } from './progress-bar.ts'
import type { Printer } from './printer.ts'

type Replaying = Extract<MigratorEvent, { readonly type: 'replaying' }>

/** The events of a run on the database itself. */
export type RunEvent = Exclude<MigratorEvent, Replaying>

/** Shows which migration is running on the embedded copy: a bar on a terminal, elsewhere a line every few seconds. */
export interface ReplayDisplay {
  readonly onReplay: (event: Replaying) => void
  /** Removes the bar. */
  close(): void
}

export function showReplay(print: Printer, isQuiet: boolean): ReplayDisplay {
  return process.stderr.isTTY && !isQuiet ? replayBar() : replayLines(print)
}

/** Runs work that migrates an embedded copy, and shows its progress. Other events go to `onRunEvent`. */
export async function withReplayProgress<Result>(
  print: Printer,
  isQuiet: boolean,
  work: (onEvent: (event: MigratorEvent) => void) => Promise<Result>,
  onRunEvent?: (event: RunEvent) => void,
): Promise<Result> {
  // The copy lives for seconds: optimizing PostgreSQL's WebAssembly takes more processor time than it saves.
  setFlagsFromString('--liftoff-only')
  const display = showReplay(print, isQuiet)
  try {
    return await work((event) => {
      if (event.type === 'replaying') display.onReplay(event)
      else onRunEvent?.(event)
    })
  } finally {
    display.close()
  }
}

function replayBar(): ReplayDisplay {
  let bar: SingleBar | null = null
  return {
    onReplay: ({ migration, index, total }) => {
      bar ??= startBar('In memory  {bar} {value}/{total}  {migration}', total, { migration: '' })
      bar.update(index, { migration: printable(migration) })
    },
    close: () => {
      bar?.stop()
      bar = null
    },
  }
}

function replayLines(print: Printer): ReplayDisplay {
  let last = performance.now()
  return {
    onReplay: ({ migration, index, total }) => {
      const now = performance.now()
      if (now - last < LINES_EVERY) return
      last = now
      print.note(`In memory: [${index + 1}/${total}] ${migration} …`)
    },
    close: () => undefined,
  }
}
