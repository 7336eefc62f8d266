import { readFileSync } from 'node:fs'

import type { PlannedMigration } from '../migrator/plan/result.ts'
import type { PlanSource } from '../migrator/plan/sources.ts'
import type { LintedMigration } from './lint-migrations.ts'

/** Adds to planned migrations where their statements are in their files. */
export function withPlaces(
  migrations: readonly PlannedMigration[],
  sources: readonly PlanSource[],
): readonly LintedMigration[] {
  return migrations.map(({ name, transactional, statements }, place) => {
    const { file = null, lines = [], unawaited = [] } = sources[place] ?? {}
    const text = file === null ? [] : linesOf(file)
    return {
      name,
      transactional,
      file,
      statements: statements.map(({ sql }, index) => ({ sql, line: lineOf(sql, text, lines[index] ?? null) })),
      unawaited: unawaited.map(({ sql, line }) => ({ sql, line: lineOf(sql, text, line) })),
    }
  })
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n')
  } catch {
    return []
  }
}

// Shorter texts, such as `commit`, are elsewhere too.
const SHORTEST = 12

/** Returns where the text of a statement begins, from the call that creates it on; otherwise the line of the call. */
function lineOf(sql: string, text: readonly string[], call: number | null): number | null {
  const [first = ''] = sql.trim().split('\n')
  const found = text.findIndex((line, place) => place + 1 >= (call ?? 1) && line.includes(first.trim()))
  return found === -1 || first.length < SHORTEST ? call : found + 1
}
