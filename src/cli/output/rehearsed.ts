import { green, red, yellow } from './colour.ts'

import type { TakenLock } from '../../migrator/rehearse/locks.ts'
import type { RehearsedMigration } from '../../migrator/rehearse/migrations.ts'
import { redact } from '../../sql-text/redact.ts'
import { table } from './table.ts'

const reasons = {
  'no-transaction': 'it runs outside a transaction',
  'not-reached': 'an earlier one failed',
} as const satisfies Record<NonNullable<RehearsedMigration['reason']>, string>

/** Describes what migrations did in a rehearsal: each with a table of its statements. */
export function describeRehearsed(migrations: readonly RehearsedMigration[]): string[] {
  const named = new Set<string>()
  return migrations.flatMap((migration) => {
    const rows = migration.statements.map(({ sql, milliseconds, rows: count, locks, error }) => [
      shorten(sql),
      inMilliseconds(milliseconds),
      count === null ? '' : String(count),
      error === undefined ? describeLocks(locks, named) : red('failed'),
    ])
    const statements = rows.length === 0 ? [] : table(['Statement', 'Time', 'Rows', 'Locks'], rows)
    return [headline(migration), ...statements, '']
  })
}

function headline({ name, state, reason, milliseconds, statements }: RehearsedMigration): string {
  switch (state) {
    case 'rehearsed':
      return `${green('✓')} ${name}: ${inMilliseconds(milliseconds)}${statements.length === 0 ? ', no statements' : ''}`
    case 'not-rehearsed':
      return `${yellow('○')} ${name}: not rehearsed, ${reason === undefined ? 'skipped' : reasons[reason]}`
    case 'failed':
      return `${red('✗')} ${name}: failed after ${inMilliseconds(milliseconds)}`
  }
}

const LONGEST = 60

function shorten(sql: string): string {
  const line = redact(sql).replaceAll(/\s+/g, ' ').trim()
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST - 1)}…`
}

function inMilliseconds(milliseconds: number): string {
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`
}

// From the weakest to the strongest, in PostgreSQL's order.
const modes = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
]

/** A line for the strongest lock on each relation. A new table is named once, without its indexes. */
function describeLocks(locks: readonly TakenLock[], named: Set<string>): string[] {
  const strongest = new Map<string, TakenLock>()
  for (const lock of locks) {
    const known = strongest.get(lock.relation)
    if (known === undefined || modes.indexOf(lock.mode) > modes.indexOf(known.mode)) strongest.set(lock.relation, lock)
  }
  const shown = [...strongest.values()].filter(
    ({ relation, kind, isNew, blocks }) =>
      blocks !== 'nothing' || (kind === 'table' && !(isNew && named.has(relation))),
  )
  for (const { relation } of shown) named.add(relation)
  return shown.map(describeLock)
}

function describeLock({ relation, mode, isNew, blocks }: TakenLock): string {
  if (isNew) return `${relation} (new)`
  return blocks === 'nothing' ? `${relation} ${mode}` : `${yellow('⚠')} ${relation} ${mode}: blocks ${blocks}`
}
