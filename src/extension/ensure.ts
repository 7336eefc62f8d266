import { type Database, type Session, sessionOf } from '../database/session.ts'
import { ensureOptions, type EnsureOptions, type ParsedEnsureOptions } from '../core/options.ts'
import { parseOptions } from '../core/parse-options.ts'
import { isRace } from '../database/sqlstate.ts'
import { satisfies } from './assess.ts'
import { carryOut, look } from './carry-out.ts'
import { ensureOnCluster } from './cluster/ensure.ts'
import { glanceAtBoot } from './glance.ts'
import { rememberSchema } from './known-schema.ts'
import { lockAndLook } from './lock.ts'
import { loggerFrom } from '../database/logger.ts'
import { announce, resultOf, type EnsureResult } from './result.ts'
import type { Glance, InstalledExtension } from './state.ts'
import { verifyIn } from './verify.ts'

/**
 * Makes sure that pgvector is enabled, recent enough and working. It is safe to call on every replica at once.
 *
 * If pgvector is already enabled, it sends one read-only query. This needs no privileges except USAGE on the schema,
 * and works in a read-only transaction and on a standby. The query reads the catalogs; with `verify`, the type and the
 * operators are used too. In a caller's transaction, everything happens in a savepoint, which an error rolls back.
 *
 * @example
 * const { version, status } = await ensurePgvector(knex, { minVersion: '0.8.0', schema: 'extensions' })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, UNSUPPORTED_DATABASE, POSTGRES_TOO_OLD, PGVECTOR_NOT_AVAILABLE,
 * PGVECTOR_VERSION_TOO_LOW, PGVECTOR_NO_UPDATE_PATH, INSUFFICIENT_PRIVILEGE, TYPE_CONFLICT, ACCESS_METHOD_CONFLICT,
 * SCHEMA_NOT_FOUND, READ_ONLY, LOCK_TIMEOUT, CITUS_WORKER,
 * CITUS_NODES_NOT_READY, CITUS_REFUSED or VERIFICATION_FAILED.
 */
export async function ensurePgvector(db: Database, options: EnsureOptions = {}): Promise<EnsureResult> {
  const needs = parseOptions(ensureOptions, options)
  const session = sessionOf(db)
  const seen = await glanceAtBoot(session)
  const result = await ensure(session, needs, seen)
  if (needs.verify && result.status === 'unchanged') {
    await session.transaction((trx) => verifyIn(trx, result.schema, result.version), { isBrief: true, readOnly: true })
  }
  rememberSchema(db, result.schema)
  announce(result, loggerFrom(needs.logger), needs.verify)
  return result
}

function ensure(session: Session, needs: ParsedEnsureOptions, seen: Glance): Promise<EnsureResult> {
  if (seen.isCitus) return ensureOnCluster(session, needs, seen)
  return satisfies(seen, needs)
    ? Promise.resolve(resultOf(seen, needs, 'unchanged'))
    : changeWithRetry(session, needs, seen)
}

const MOST_RACES = 5

// Other tools do not take our lock. If another session was faster, look again, because it may have done the work.
async function changeWithRetry(session: Session, needs: ParsedEnsureOptions, seen: Glance): Promise<EnsureResult> {
  let fresh: Glance | undefined = seen
  for (let races = 1; ; races++) {
    try {
      return await change(session, needs, fresh)
    } catch (error) {
      if (races === MOST_RACES || !isRace(error)) throw error
      fresh = undefined
    }
  }
}

async function change(session: Session, needs: ParsedEnsureOptions, fresh: Glance | undefined): Promise<EnsureResult> {
  const before = await look(session, needs, fresh)
  if (before.plan.action === 'none') return resultOf(before.state, needs, 'unchanged')
  return session.transaction(
    async (trx) => {
      const seenWith = (installed: InstalledExtension | null): Glance => ({ ...before.state, installed })
      const installed = await lockAndLook(trx, needs.wait, (current) => satisfies(seenWith(current), needs))
      if (satisfies(seenWith(installed), needs)) return resultOf(seenWith(installed), needs, 'unchanged')
      // During the wait, another session may have installed an old version, or dropped the extension that was to be
      // updated.
      const isAsBefore = isSame(installed, before.state.installed)
      const { state, plan } = isAsBefore ? before : await look(trx, needs)
      return plan.action === 'none' ? resultOf(state, needs, 'unchanged') : carryOut(trx, needs, state, plan)
    },
    { isBrief: true },
  )
}

function isSame(left: InstalledExtension | null, right: InstalledExtension | null): boolean {
  return left?.oid === right?.oid && left?.version === right?.version
}
