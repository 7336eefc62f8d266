import type { Knex } from 'knex'

import { sqlStateOf } from '../errors.ts'
import { UNDO_IN_TRANSACTION } from '../operations/migration.ts'
import type { Database } from '../queryable.ts'
import { lazySchema, parseOptions } from '../schema.ts'
import { serverMessage } from '../sqlstate.ts'
import { lostBetween, readTables, type LostPart } from './losses-catalog.ts'
import { counter, type Count } from './losses-count.ts'
import { listMigrations, type LoadedMigration, type MigrationModule } from './migrations.ts'
import { rehearseMigrations, type RehearsedMigration } from './rehearse-migrations.ts'
import { onStage, type StageOptions } from './rehearse-stage.ts'
import { selectDown, type DownSelection } from './select.ts'
import type { MigrationSettings } from './settings.ts'
import { readApplied } from './tracking.ts'

/** Which migrations to look at, how long to wait for locks and how long to count. */
export interface LossOptions extends DownSelection, StageOptions {
  /** Milliseconds to count rows for, of all tables together; the rest is estimated. Default 5000. */
  readonly countTimeout?: number | undefined
}

/** A table that would be gone, with its rows. */
export interface LostTable extends Count {
  readonly table: string
}

/** A column that would be gone, with its values (not null): one of a table that stays, or vectors of one that goes. */
export interface LostColumn extends Count {
  readonly table: string
  readonly column: string
  readonly type: string
  readonly isVector: boolean
}

/** What undoing migrations would lose. Nothing was changed. */
export interface Losses {
  /** The migrations that would be undone, newest first; `problem` says why what one would lose is not known. */
  readonly migrations: readonly { readonly name: string; readonly problem: string | null }[]
  readonly tables: readonly LostTable[]
  readonly columns: readonly LostColumn[]
  /** Why the lists may not be all. */
  readonly warnings: readonly string[]
}

const countOptions = lazySchema((z) =>
  z.strictObject({ countTimeout: z.int('must be whole milliseconds').min(0, 'must not be negative').default(5000) }),
)

/**
 * Finds out what undoing migrations would lose: undoes them in a transaction that is rolled back, and counts what was
 * gone in it. A row that a migration deletes from a table that stays is not told.
 */
export async function losses(db: Database, settings: MigrationSettings, options: LossOptions): Promise<Losses> {
  const { countTimeout } = parseOptions(countOptions, { countTimeout: options.countTimeout })
  const { signal, command = 'losses' } = options
  const files = await listMigrations(settings)
  const choose = async (from: Database): Promise<readonly string[]> =>
    selectDown(files.names, await readApplied(from, settings.tables), options)
  if ((await choose(db)).length === 0) return { migrations: [], tables: [], columns: [], warnings: [] }
  const { result, warnings } = await onStage(db, settings.tables, { ...options, command }, async (stage) => {
    const chosen = await Promise.all((await choose(stage.trx)).map((name) => files.load(name)))
    const migrations = chosen.map(inTransaction)
    const before = await readTables(stage.trx)
    // Undone in a savepoint of its own, so that all is there again, and no longer locked, when it is counted.
    const savepoint = await stage.trx.transaction()
    const results = await rehearseMigrations({ ...stage, trx: savepoint }, settings, {
      migrations,
      direction: 'down',
      withLocks: false,
      signal,
    })
    const lost = lostBetween(before, await readTables(savepoint))
    await savepoint.rollback()
    return { results, ...(await countAll(stage.trx, lost, countTimeout)) }
  })
  const { results, tables, columns } = result
  const migrations = results.map((each) => ({ name: each.name, problem: problemOf(each) }))
  return { migrations, tables, columns, warnings: [...migrations.flatMap(({ problem }) => problem ?? []), ...warnings] }
}

// Of a migration of operations that drops an index beside writers, the rest can be tried.
function inTransaction(migration: LoadedMigration): LoadedMigration {
  const down = (migration.module.down as Partial<Record<symbol, MigrationModule['up']>> | undefined)?.[
    UNDO_IN_TRANSACTION
  ]
  if (migration.transactional || down === undefined) return migration
  return { ...migration, transactional: true, module: { ...migration.module, down } }
}

async function countAll(
  trx: Knex.Transaction,
  lost: readonly LostPart[],
  timeout: number,
): Promise<Pick<Losses, 'tables' | 'columns'>> {
  const counts = counter(trx, timeout)
  const tables: LostTable[] = []
  const columns: LostColumn[] = []
  for (const part of lost) {
    const { table, values } = await counts(part)
    const { name } = part.table
    if (part.isWhole) tables.push({ table: name, ...table })
    for (const { column, ...count } of values) {
      columns.push({ table: name, column: column.name, type: column.type, isVector: column.isVector, ...count })
    }
  }
  return { tables, columns }
}

function problemOf({ name, state, reason, error }: RehearsedMigration): string | null {
  if (state === 'failed') {
    const { cause } = error ?? {}
    const said = sqlStateOf(cause) === undefined && cause instanceof Error ? cause.message : serverMessage(cause)
    return `${name} could not be undone to look at it: ${said}`
  }
  if (reason === 'no-transaction') return `${name} was not looked at, because it runs outside a transaction.`
  return reason === 'not-reached' ? `${name} was not looked at, because what comes before it failed.` : null
}
