import { isPgvectorMigrationError, sqlStateOf, errorMessage } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { serverMessage } from '../../database/server-message.ts'
import { sqlState } from '../../database/sqlstate.ts'
import { lostBetween, readTables, type LostPart } from './catalog.ts'
import type { LoadedMigration, MigrationFiles } from '../files/list.ts'
import { rehearseMigrations, type RehearsedMigration } from '../rehearse/migrations.ts'
import { withRehearsalStage, type ParsedStageOptions } from '../rehearse/stage.ts'
import type { MigrationSettings } from '../settings.ts'

/** The result of trial rollbacks. `problem` explains why a migration could not be tried. */
export interface Tried {
  readonly migrations: readonly { readonly name: string; readonly problem: string | null }[]
  readonly lost: readonly LostPart[]
  readonly warnings: readonly string[]
}

/** Rolls back migrations in a transaction that is itself rolled back. */
export async function tryDown(
  session: Session,
  settings: MigrationSettings,
  files: MigrationFiles,
  choose: (from: Session) => Promise<readonly string[]>,
  options: ParsedStageOptions,
): Promise<Tried> {
  const { signal, command = 'losses' } = options
  const { result, warnings } = await withRehearsalStage(session, settings, { ...options, command }, async (stage) => {
    const chosen = await Promise.all((await choose(stage.trx)).map((name) => files.load(name)))
    const before = await readTables(stage.trx)
    const results = await rehearseMigrations(session, stage, settings, {
      migrations: chosen.map(inTransaction),
      direction: 'down',
      withLocks: false,
      signal,
    })
    return { results, lost: lostBetween(before, await readTables(stage.trx)) }
  })
  const migrations = result.results.map((each, index) => ({
    name: each.name,
    problem: problemOf(each, result.results.slice(0, index)),
  }))
  return { migrations, lost: result.lost, warnings }
}

const refusals = new Set<string | undefined>([sqlState.insufficientPrivilege, sqlState.readOnlyTransaction])

/** Nothing could be tried: a read-only role, or a standby, gets the losses that can be determined without a trial. */
export function untried(names: readonly string[], error: unknown): Tried {
  const isRefused =
    isPgvectorMigrationError(error, 'READ_ONLY') ||
    isPgvectorMigrationError(error, 'INSUFFICIENT_PRIVILEGE') ||
    refusals.has(sqlStateOf(error))
  if (!isRefused) throw error
  const problem = `could not be tried: ${reasonIn(error)}`
  return { migrations: names.map((name) => ({ name, problem: `${name} ${problem}` })), lost: [], warnings: [] }
}

// If a composed migration drops an index without blocking writes, the rest of it can be tried.
function inTransaction(migration: LoadedMigration): LoadedMigration {
  const down = migration.module.down?.inTransaction
  if (migration.transactional || down === undefined) return migration
  return { ...migration, transactional: true, module: { ...migration.module, down } }
}

// What fails where another one was not tried first says nothing about the rollback itself.
function problemOf(
  { name, state, reason, error }: RehearsedMigration,
  before: readonly RehearsedMigration[],
): string | null {
  const outside = before.filter((each) => each.reason === 'no-transaction').map((each) => each.name)
  if (reason === 'no-transaction') return `${name} runs outside a transaction, so it was not tried.`
  if (state === 'rehearsed') return null
  if (outside.length > 0) return `${name} was not tried, because ${outside.join(', ')} comes first.`
  if (state === 'failed') return `${name} failed in this preview: ${reasonIn(error?.cause)}`
  return reason === 'not-reached' ? `${name} was not tried, because one before it failed in this preview.` : null
}

/** Returns an error's message as a sentence. */
export function reasonIn(error: unknown): string {
  const said = sqlStateOf(error) === undefined ? errorMessage(error) : serverMessage(error)
  const sentence = said.trim()
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`
}
