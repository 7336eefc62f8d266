import { readFileSync } from 'node:fs'

import { isPgvectorMigrationError, sqlStateOf, type PgvectorMigrationError } from '../../core/errors.ts'
import { textOf, type SentQuery } from '../../database/record-statements.ts'
import { serverMessage } from '../../database/server-message.ts'
import { isUndefined } from '../../database/sqlstate.ts'
import type { UnawaitedQuery } from '../../database/watch-builders.ts'
import type { LoadedMigration } from '../files/list.ts'
import { recorded } from '../replay/applied.ts'
import { rememberSequences } from '../replay/sequences.ts'
import { runUp, type Replay } from '../replay/replay.ts'
import type { Unmigrated } from '../replay/unmigrated.ts'

/** What a pending migration sent, and what it did not wait for. */
export interface PendingRun {
  readonly sent: readonly SentQuery[]
  readonly failure: PgvectorMigrationError<'PLAN_FAILED'> | null
  readonly unawaited: readonly UnawaitedQuery[]
}

/**
 * Runs a pending migration on an embedded copy, with the objects of the database that it refers to. Its text names most
 * of them. Others are only named when it fails, and it is run again if it has changed nothing.
 */
export async function runPending(
  { session, watch }: Replay,
  migration: LoadedMigration,
  unmigrated: Unmigrated,
): Promise<PendingRun> {
  await unmigrated.copyNamedIn(sourceOf(migration))
  for (;;) {
    const restoreSequences = unmigrated.isEmpty() ? null : await rememberSequences(session)
    const unawaited: UnawaitedQuery[] = []
    watch.start()
    const { sent, failure } = await recorded(session, migration.name, false, () =>
      runUp(session, migration, () => unawaited.push(...watch.stop())),
    )
    const run = { sent, failure, unawaited }
    if (failure === null || !isRepeatable(migration, sent)) return run
    await restoreSequences?.()
    if (!(await unmigrated.copyNamedIn([messageIn(failure), ...sent.map(textOf)].join('\n')))) return run
  }
}

/** Whether a migration failed because an object does not exist that the database has. */
export function lacksObject(failure: PgvectorMigrationError<'PLAN_FAILED'>, unmigrated: Unmigrated): boolean {
  const { cause } = failure
  if (!isUndefined(sqlStateOf(cause)) && !isPgvectorMigrationError(cause)) return false
  return unmigrated.isNamedIn(messageIn(failure))
}

function messageIn({ cause }: PgvectorMigrationError): string {
  return isPgvectorMigrationError(cause) ? cause.message : serverMessage(cause)
}

function sourceOf({ path, module }: LoadedMigration): string {
  const text = module.up.toString()
  if (path === null) return text
  try {
    return `${readFileSync(path, 'utf8')}\n${text}`
  } catch {
    return text
  }
}

// Outside a transaction, statements before the failed one have taken effect.
function isRepeatable({ transactional }: LoadedMigration, sent: readonly SentQuery[]): boolean {
  return transactional || !sent.some(({ isControl, asks, error }) => !isControl && asks !== true && error === undefined)
}
