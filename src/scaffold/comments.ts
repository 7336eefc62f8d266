import { identifier } from '../core/sql.ts'
import { columnLabel } from '../columns/facts.ts'
import { tableOf, type VectorColumn } from '../columns/column.ts'
import type { VectorDifference } from '../diff/difference.ts'
import { quotedText } from './quoted-text.ts'

/**
 * Returns the columns to add, in the form in which they can be added: existing rows have no value for a NOT NULL
 * column.
 */
export function missingColumns(differences: readonly VectorDifference[]): ReadonlyMap<string, VectorColumn> {
  return new Map(
    differences.flatMap((difference) =>
      difference.kind === 'column missing'
        ? [[columnLabel(difference.column), { ...difference.column, notNull: isAddedNotNull(difference) }] as const]
        : [],
    ),
  )
}

function isAddedNotNull({ column, hasRows }: Extract<VectorDifference, { kind: 'column missing' }>): boolean {
  return column.notNull && !hasRows
}

/** Returns an index that cannot be built yet, with the reason. */
export function leftOut(
  difference: VectorDifference,
  differences: readonly VectorDifference[],
  missing: ReadonlyMap<string, VectorColumn>,
): (readonly [VectorDifference, readonly string[]])[] {
  if (difference.kind !== 'index missing' && difference.kind !== 'index invalid') return []
  const { name, index } = difference
  const label = columnLabel(index.column)
  const isOther = differences.some(
    (other) => other.kind === 'column differs' && columnLabel(other.column) === label && !isOfSameType(other),
  )
  if (isOther) return [[difference, [`${name} is skipped, because its column differs.`]]]
  if (index.method !== 'ivfflat' || !missing.has(label)) return []
  const reason = [
    `${name} is skipped: an ivfflat index is trained on existing rows, and its column has no values yet.`,
    'After the backfill (backfillVectors), write its migration with: npx knex-pgvector new --from-diff NAME --declared MODULE',
  ]
  return [[difference, reason]]
}

/** Whether a column differs only in its NOT NULL, which does not matter to an index. */
function isOfSameType({ existing, wanted }: Extract<VectorDifference, { kind: 'column differs' }>): boolean {
  const [there, declared] = [existing, wanted].map((declaration) => declaration.replace(/ not null$/, ''))
  return there === declared
}

/** Whether the column lacks only its NOT NULL. */
function isOnlyNull({ existing, wanted }: Extract<VectorDifference, { kind: 'column differs' }>): boolean {
  return wanted === `${existing} not null`
}

/** Returns the comments of a migration on a difference; none if the migration removes the difference. */
export function commentOn(difference: VectorDifference): string[] {
  const { kind, name } = difference
  switch (kind) {
    case 'column differs':
      if (isOnlyNull(difference)) {
        return [`${name} allows null, but is declared NOT NULL. ${ONCE_FILLED}`, ...setNotNull(difference.column)]
      }
      return unchanged(difference)
    case 'index differs':
      return unchanged(difference)
    case 'column not declared':
    case 'index not declared':
      return [`${name} (${difference.existing}) is not declared and was not changed.`]
    case 'not kept in step':
      return [`${name} is not kept in step: add new KeepInStep(…) with its embedding to a migration.`]
    case 'extension missing':
      return []
    case 'column missing':
      if (!difference.column.notNull || isAddedNotNull(difference)) return []
      return [
        `${name} is added without NOT NULL, because its table has rows. ${ONCE_FILLED}`,
        ...setNotNull(difference.column),
      ]
    case 'index missing':
    case 'index invalid':
      if (difference.index.method !== 'ivfflat') return []
      return [
        `${name} is postponed if no row has a value to train it on, as in a new database. Once there are values,`,
        'build it there: npx knex-pgvector index build --declared MODULE',
      ]
  }
}

/** Returns how to remove a difference for which no migration can be generated; null if another change removes it. */
export function remedyFor(difference: VectorDifference): string | null {
  switch (difference.kind) {
    case 'column differs':
      if (isOnlyNull(difference)) return 'Backfill the column, then put the operation shown above into a migration.'
      if (isOfSameType(difference)) return 'Declare the column NOT NULL, or drop its NOT NULL in a migration.'
      return (
        'A column of another type or dimension is a new column. changeModel adds it, backfills it, moves the searches, and ' +
        'drops the old one (docs/changing-the-model.md).'
      )
    case 'index differs':
      return 'Declare the index under another name, or drop the existing one in a migration.'
    case 'column not declared':
    case 'index not declared':
      return 'Declare what is not declared, or drop it in a migration.'
    case 'not kept in step':
      return 'Put new KeepInStep(…) with the embedding into a migration.'
    case 'extension missing':
    case 'column missing':
    case 'index missing':
    case 'index invalid':
      return null
  }
}

const ONCE_FILLED = 'Once every row has a value (backfillVectors), in a later migration:'

function unchanged({ name, existing, wanted }: Extract<VectorDifference, { wanted: string }>): string[] {
  return [`${name} was not changed. The database has`, `  ${existing}`, 'but the declaration is', `  ${wanted}`]
}

function setNotNull(column: VectorColumn): string[] {
  const alter = (action: string): string =>
    quotedText(
      `set local lock_timeout = '2s'; alter table ${tableOf(column)} alter column ${identifier(column.name)} ${action} not null`,
    )
  return ['  new RunSql({', `    up: ${alter('set')},`, `    down: ${alter('drop')},`, '  })']
}
