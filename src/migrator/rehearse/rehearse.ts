import type { Session } from '../../database/session.ts'
import { sqlStateOf } from '../../core/errors.ts'
import { sqlState } from '../../database/sqlstate.ts'
import { listMigrations } from '../files/list.ts'
import { rehearseMigrations, type RehearsedMigration } from './migrations.ts'
import { optionsParser } from '../../core/option-kinds.ts'
import { stageKinds, withRehearsalStage, type ParsedStageOptions, type StageOptions } from './stage.ts'
import { assertFilesExist, selectUp, upKinds, type UpSelection } from '../select.ts'
import type { MigrationSettings } from '../settings.ts'
import { readApplied } from '../tracking.ts'
import { explainUnknownType } from '../unknown-type.ts'

/** Which pending migrations to rehearse, and how long one of their statements may wait for a lock. */
export type RehearseOptions = UpSelection & StageOptions

/** @internal */
export const parseRehearseOptions = optionsParser({ ...upKinds, ...stageKinds })

/** The result of a rehearsal. None of its changes were kept. */
export interface Rehearsal {
  /** The pending migrations that were chosen, in order. */
  readonly migrations: readonly RehearsedMigration[]
  /** What the rehearsal cannot determine, and what it could not roll back. */
  readonly warnings: readonly string[]
}

/**
 * Executes the pending migrations for real, in one transaction that is rolled back.
 *
 * It takes the lock of a run, so that no other process migrates in the meantime. In a database without any migrations
 * yet, not even the lock leaves a trace. Knex's hooks are called, except for `afterAll`. What a migration does outside
 * its transaction, on its own connection or on disk, is not rolled back.
 */
export async function rehearse(
  session: Session,
  settings: MigrationSettings,
  options: UpSelection & ParsedStageOptions,
): Promise<Rehearsal> {
  const files = await listMigrations(settings)
  const choose = async (from: Session): Promise<readonly string[]> => {
    const applied = await readApplied(from, settings.tables)
    assertFilesExist(files, applied)
    return selectUp(files.names, applied, options)
  }
  if ((await choose(session)).length === 0) return { migrations: [], warnings: [] }
  const { signal, onEvent, command = 'rehearse' } = options
  let isFailed = false
  const about = { ...options, command, hasFailed: () => isFailed }
  const { result, warnings } = await withRehearsalStage(session, settings, about, async (stage) => {
    // Chosen again, now that no other run can change it.
    const migrations = await Promise.all((await choose(stage.trx)).map((name) => files.load(name)))
    const rehearsed = await rehearseMigrations(session, stage, settings, {
      migrations,
      direction: 'up',
      withLocks: true,
      signal,
      onEvent,
    })
    isFailed = rehearsed.some(({ state }) => state === 'failed')
    return { rehearsed, lockTimeout: stage.lockTimeout }
  })
  const { rehearsed, lockTimeout } = result
  return {
    migrations: await Promise.all(rehearsed.map((each) => withReason(session, each))),
    warnings: [...warningsOf(rehearsed, lockTimeout), ...warnings],
  }
}

async function withReason(session: Session, migration: RehearsedMigration): Promise<RehearsedMigration> {
  const { error } = migration
  return error === undefined ? migration : { ...migration, error: await explainUnknownType(session, error) }
}

function warningsOf(results: readonly RehearsedMigration[], lockTimeout: number): string[] {
  const outside = results.filter(({ reason }) => reason === 'no-transaction').map(({ name }) => name)
  const failed = results.find(({ state }) => state === 'failed')
  const warnings = outside.map(
    (name) => `${name} runs outside a transaction, so it was not rehearsed; later migrations were tried without it.`,
  )
  if (failed !== undefined && outside.length > 0 && results.findIndex(isOutside) < results.indexOf(failed)) {
    warnings.push(`${failed.name} may have failed only because ${outside.join(', ')} could not be rehearsed before it.`)
  }
  if (sqlStateOf(failed?.error?.cause) === sqlState.lockNotAvailable) {
    warnings.push(
      `${failed?.name} did not get a lock within ${lockTimeout} ms, because another session was using the relation. ` +
        'A run waits as long as necessary, and later queries wait behind it.',
    )
  }
  return warnings
}

function isOutside({ reason }: RehearsedMigration): boolean {
  return reason === 'no-transaction'
}
