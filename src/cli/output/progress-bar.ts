import { SingleBar } from 'cli-progress'

/** How often a line is written where there is no terminal. */
export const LINES_EVERY = 5000

/** Starts a bar on stderr that disappears when it is stopped. */
export function startBar(format: string, total: number, values: Readonly<Record<string, string>>): SingleBar {
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 24,
  })
  bar.start(total, 0, values)
  return bar
}
