import { green, red, yellow } from 'colorette'

import type { TakenLock } from '../runner/locks-taken.ts'
import type { RehearsedMigration } from '../runner/rehearse-migrations.ts'
import { redact } from './redact.ts'
import { table } from './table.ts'

const reasons = {
  'no-transaction': 'it runs outside a transaction',
  'not-reached': 'an earlier one failed',
} as const satisfies Record<NonNullable<RehearsedMigration['reason']>, string>

/** What a migration did in a rehearsal, for people. */
export function describeRehearsed(migration: RehearsedMigration): string[] {
  const { statements } = migration
  const rows = statements.map((statement) => [
    shorten(statement.sql),
    inMilliseconds(statement.milliseconds),
    statement.rows === null ? '' : String(statement.rows),
    statement.error === undefined ? describeLocks(statement.locks) : red('failed'),
  ])
  return [headline(migration), ...(rows.length === 0 ? [] : [table(['Statement', 'Time', 'Rows', 'Locks'], rows)]), '']
}

function headline({ name, state, reason, milliseconds, statements }: RehearsedMigration): string {
  switch (state) {
    case 'rehearsed':
      return `${green('✓')} ${name}: ${inMilliseconds(milliseconds)}${statements.length === 0 ? ', no statements' : ''}`
    case 'not-rehearsed':
      return `${yellow('○')} ${name}: not rehearsed, ${reason === undefined ? 'left out' : reasons[reason]}`
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

// From the weakest to the strongest, as PostgreSQL numbers them.
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

/** The strongest lock on each relation, a line each; what is new is only named, and its indexes go without saying. */
function describeLocks(locks: readonly TakenLock[]): string {
  const strongest = new Map<string, TakenLock>()
  for (const lock of locks) {
    const known = strongest.get(lock.relation)
    if (known === undefined || modes.indexOf(lock.mode) > modes.indexOf(known.mode)) strongest.set(lock.relation, lock)
  }
  return [...strongest.values()]
    .filter(({ kind, isNew, blocks }) => blocks !== 'nothing' || kind === 'table' || (kind === 'view' && isNew))
    .map(({ relation, mode, isNew, blocks }) => {
      if (isNew) return `${relation} (new)`
      return blocks === 'nothing' ? `${relation} ${mode}` : `${yellow('⚠')} ${relation} ${mode}: blocks ${blocks}`
    })
    .join('\n')
}
