import { isPgvectorMigrationError } from '../core/errors.ts'
import type { Direction, RunOptions, RunResult } from '../migrator/events.ts'
import { down, up } from '../migrator/run/run.ts'
import type { DownSelection, UpSelection } from '../migrator/select.ts'
import { readTracking } from '../migrator/tracking.ts'
import { withTenant, type Opening } from './open-tenant.ts'
import type { Attempt } from './queue.ts'
import { failureOf } from './report.ts'
import type { ResolvedTenant, UnresolvedTenant } from './resolve.ts'

/** What is run in each tenant. */
export interface TenantRun {
  readonly direction: Direction
  readonly selection: UpSelection & DownSelection
  readonly transaction: RunOptions['transaction']
  readonly opening: Opening
  readonly onDone: (tenant: string, result: RunResult) => void
}

/** Runs the migrations of one tenant, if no other run is doing that. It does not throw. */
export async function runTenant(tenant: ResolvedTenant | UnresolvedTenant, run: TenantRun): Promise<Attempt> {
  const { direction, selection, transaction, opening, onDone } = run
  const choice = { ...selection, transaction, signal: opening.signal, wait: 0, command: `fleet ${direction}` }
  const start = direction === 'up' ? up : down
  try {
    if ('problem' in tenant) throw tenant.problem
    const files = await tenant.files()
    const result = await withTenant(tenant, opening, async (session, settings, passOn) => {
      const ran = await start(session, settings, choice, readTracking(session, settings.tables))
      const loaded = await Promise.all(ran.migrations.map(({ name }) => files.load(name)))
      // One outside of a transaction has its connection to itself.
      if (loaded.every(({ transactional }) => transactional)) passOn()
      return ran
    })
    onDone(tenant.name, result)
    return { outcome: result.migrations.length === 0 ? 'skipped' : 'done' }
  } catch (error) {
    if (isPgvectorMigrationError(error, 'MIGRATIONS_LOCKED')) return { outcome: 'busy', holder: error.details.holder }
    return { outcome: 'failed', failure: failureOf(tenant.name, error) }
  }
}
