import { PgvectorMigrationError } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import type { SharedConnections } from '../database/shared-connections.ts'
import { openTenantKnex } from '../database/tenant-knex.ts'
import { withExplainedErrors } from '../migrator/explained-errors.ts'
import type { Place } from '../migrator/place.ts'
import { inPlace, noHook, type MigrationSettings } from '../migrator/settings.ts'
import { extensionIn, type Preparation, type PrepareDatabase } from './prepare.ts'
import type { ResolvedTenant } from './resolve.ts'
import { sharingOf } from './share.ts'

/** How the tenants of a run are opened. */
export interface Opening extends Preparation {
  readonly prepare: PrepareDatabase
  readonly signal: AbortSignal | undefined
  /** Connections that tenants share; null if each opens its own. */
  readonly connections: SharedConnections | null
}

/** Runs work on the connection of one tenant, with settings that keep its migrations in its schema. */
export async function withTenant<Result>(
  tenant: ResolvedTenant,
  opening: Opening,
  work: (session: Session, settings: MigrationSettings, passOn: () => void) => Promise<Result>,
): Promise<Result> {
  const { place, isPooled } = await placeOf(tenant, opening)
  const settings = place === null ? tenant.settings : inPlace(tenant.settings, place)
  if (isPooled) assertNoOuterHooks(settings)
  const path = place?.searchPath ?? tenant.searchPath
  // Behind a pooler, a path that is set for a session would reach other clients. Each transaction sets its own.
  const searchPath = isPooled ? null : path
  // Such a pooler shares its own connections, and DISCARD ALL would reach any of them.
  const shared = isPooled || place === null ? undefined : sharingOf(tenant, place, opening.connections)
  const { session: opened, passOn, close } = openTenantKnex(tenant.config, { searchPath, limit: opening.limit, shared })
  try {
    if (place === null) await extensionIn(opened, opening)
    const session = opened.withTerms({ deadlines: settings.deadlines, signal: opening.signal })
    return await withExplainedErrors(session, settings, 'write', () => work(session, settings, passOn))
  } finally {
    await close()
  }
}

async function placeOf(
  { schema, searchPath, ...tenant }: ResolvedTenant,
  { prepare }: Opening,
): Promise<{ readonly place: Place | null; readonly isPooled: boolean }> {
  if (schema === null) return { place: null, isPooled: false }
  const { isPooled, extensionSchema } = await prepare({ schema, searchPath, ...tenant })
  const path = [schema, ...(searchPath ?? []), ...(extensionSchema === null ? [] : [extensionSchema])]
  return { place: { schema, searchPath: [...new Set(path)] }, isPooled }
}

function assertNoOuterHooks({ hooks }: MigrationSettings): void {
  if (hooks.beforeAll === noHook && hooks.afterAll === noHook) return
  const hint =
    'beforeAll and afterAll run outside a transaction, where a pooler in transaction mode does not keep the search ' +
    "path of a tenant. Remove these hooks, or use the server's own port or session mode; nothing was changed."
  throw new PgvectorMigrationError('SESSION_SHARED', { processes: [] }, { hint })
}
