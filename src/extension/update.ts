import { PgvectorMigrationError } from '../core/errors.ts'
import type { LogOptions } from '../core/options.ts'
import { refuseReadOnly } from '../database/read-only.ts'
import type { Session } from '../database/session.ts'
import { assertCoordinator } from '../database/topology.ts'
import { qualified } from '../core/sql.ts'
import { execute } from './execute.ts'
import { readState } from './inspect.ts'
import { lockAndLook } from './lock.ts'
import { isBelieved } from '../log/log-state.ts'
import { logWarning, writeToLog } from '../log/migration-log.ts'
import { endedBetween } from '../pgvector/releases.ts'
import type { InstalledExtension, PgvectorState } from './state.ts'
import { verifyIn } from './verify.ts'
import { isAtLeast, newest } from '../pgvector/version.ts'

/** The version to update to, and how long to wait. */
export interface UpdateNeeds {
  readonly to?: string | undefined
  readonly wait: number
  readonly log: LogOptions | false
}

/** The result of an update. */
export interface Update {
  readonly state: PgvectorState
  readonly before: string
  readonly after: string
  readonly schema: string
  /** Indexes that an advisory fixed by the update says to rebuild, and that have not been rebuilt since. */
  readonly pending: readonly PendingIndex[]
  readonly warnings: readonly string[]
}

/** An index that needs a rebuild. */
export interface PendingIndex {
  readonly oid: number
  /** With its schema, quoted. */
  readonly name: string
}

/**
 * Updates the extension and records which indexes need a rebuild. If the version is recent enough, only queries are
 * sent. From these records, a later run knows the indexes that an interrupted run left.
 */
export async function updateExtension(session: Session, needs: UpdateNeeds): Promise<Update> {
  const state = await readState(session, { log: needs.log === false ? undefined : needs.log }, null)
  const { installed } = state
  if (installed === null) throw new PgvectorMigrationError('PGVECTOR_NOT_ENABLED', { needed: 'an update of it' })
  const target = targetOf(state, installed, needs.to)
  if (target === null) return unchanged(session, state, installed, needs)
  refuseReadOnly(state.readOnly)
  if (state.isCitus) await assertCoordinator(session)
  return session.transaction(
    async (trx) => {
      const current = (await lockAndLook(trx, needs.wait, () => false)) ?? installed
      // Another session may have done this while we waited for the lock.
      if (isAtLeast(current.version, target)) return unchanged(trx, state, current, needs)
      return update(trx, state, current, target, needs)
    },
    { isBrief: true },
  )
}

/** Returns the version to update to; null if it is already installed. */
function targetOf({ available }: PgvectorState, installed: InstalledExtension, to: string | undefined): string | null {
  const best = newest(available?.versions ?? []) ?? installed.version
  const target = to ?? best
  if (target === installed.version) return null
  if (isAtLeast(installed.version, target)) {
    if (to === undefined) return null
    throw new PgvectorMigrationError('PGVECTOR_DOWNGRADE', { installed: installed.version, target })
  }
  return target
}

async function update(
  trx: Session,
  state: PgvectorState,
  installed: InstalledExtension,
  target: string,
  { log }: UpdateNeeds,
): Promise<Update> {
  const started = performance.now()
  const after = await execute(trx, { ...state, installed }, { action: 'update', version: target })
  await verifyIn(trx, after.schema, after.version)
  const affected = await indexesToRebuild(trx, installed.version, after.version)
  const pending = [...(await readPending(trx, state, log, after)), ...affected]
  const warnings: string[] = []
  if (log !== false) {
    const unwritten = await writeToLog(trx, state.log, {
      event: 'updated',
      versionBefore: installed.version,
      versionAfter: after.version,
      schema: after.schema,
      server: state.server.version,
      provider: state.provider,
      extensionOid: after.oid,
      dimensions: null,
      durationMilliseconds: performance.now() - started,
      details: { rebuild: affected },
    })
    warnings.push(...unwritten)
  }
  return { state, before: installed.version, after: after.version, schema: after.schema, pending, warnings }
}

async function unchanged(
  session: Session,
  state: PgvectorState,
  installed: InstalledExtension,
  { log }: UpdateNeeds,
): Promise<Update> {
  const pending = await readPending(session, state, log, installed)
  const { version, schema } = installed
  const unread = log === false || state.log.distrust === null ? null : logWarning(state.log)
  const warnings = unread === null ? [] : [unread]
  return { state, before: version, after: version, schema, pending, warnings }
}

async function indexesToRebuild(session: Session, before: string, after: string): Promise<readonly PendingIndex[]> {
  const methods = new Set(endedBetween(before, after).flatMap(({ reindex }) => reindex ?? []))
  if (methods.size === 0) return []
  return session.ask(`select coalesce(json_agg(${pendingJson} order by c.oid), '[]') as state
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_am m on m.oid = c.relam
    where c.relkind = 'i' and m.amname in (${[...methods].map((method) => `'${method}'`).join(', ')})`)
}

const pendingJson = `json_build_object('oid', c.oid::bigint, 'name', format('%I.%I', n.nspname, c.relname))`

// A concurrent rebuild creates a new index, so the OID that was recorded no longer exists. Other rebuilds keep the OID,
// and are recorded when done.
async function readPending(
  session: Session,
  { log: state }: PgvectorState,
  log: LogOptions | false,
  { oid }: InstalledExtension,
): Promise<readonly PendingIndex[]> {
  if (log === false || !isBelieved(state)) return []
  const name = qualified(state.schema, state.table)
  return session.ask(`select coalesce(json_agg(${pendingJson} order by c.oid), '[]') as state
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'i' and c.oid in (
      select (noted ->> 'oid')::bigint::oid
      from ${name} as updated, jsonb_array_elements(coalesce(updated.details -> 'rebuild', '[]')) as noted
      where updated.event = 'updated' and updated.extension_oid = ${oid} and not exists (
        select from ${name} as rebuilt
        where rebuilt.event = 'index rebuilt' and rebuilt.id > updated.id and rebuilt.details -> 'oid' = noted -> 'oid'
      )
    )`)
}
