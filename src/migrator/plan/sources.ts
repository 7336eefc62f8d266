import { pathToFileURL } from 'node:url'

import { stackOf, type PlannedStatement } from '../../database/record-statements.ts'
import type { UnawaitedQuery } from '../../database/watch-builders.ts'

/** Where the statements of a planned migration come from. */
export interface PlanSource {
  /** The full path of its file; null if its source has none. */
  readonly file: string | null
  /** For each statement, the line of the call that created it; null if it is unknown. */
  readonly lines: readonly (number | null)[]
  /** Queries that it created and did not await. */
  readonly unawaited: readonly { readonly sql: string; readonly line: number | null }[]
}

export function sourceOf(
  file: string | null,
  statements: readonly PlannedStatement[],
  unawaited: readonly UnawaitedQuery[],
): PlanSource {
  return {
    file,
    lines: statements.map((statement) => lineIn(stackOf(statement), file)),
    unawaited: unawaited.map(({ sql, stack }) => ({ sql, line: lineIn(stack, file) })),
  }
}

/** Returns the innermost line of a file in a stack. */
function lineIn(stack: string | null, file: string | null): number | null {
  if (stack === null || file === null) return null
  for (const frame of stack.split('\n')) {
    for (const name of [file, pathToFileURL(file).href]) {
      const start = frame.indexOf(`${name}:`)
      const line = start === -1 ? Number.NaN : Number.parseInt(frame.slice(start + name.length + 1), 10)
      if (line > 0) return line
    }
  }
  return null
}
