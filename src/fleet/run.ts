import { waitOf } from '../core/durations.ts'
import type { ConnectionLimit } from '../database/connection-limit.ts'
import { sharedConnections } from '../database/shared-connections.ts'
import type { Direction } from '../migrator/events.ts'
import type { DownSelection, UpSelection } from '../migrator/select.ts'
import type { FleetRunOptions } from './options.ts'
import { preparing } from './prepare.ts'
import { runQueue, type Attempt } from './queue.ts'
import type { FleetReport } from './report.ts'
import type { ResolvedTenant, UnresolvedTenant } from './resolve.ts'
import { runTenant, type TenantRun } from './run-tenant.ts'

/** Which tenants a run is about, and what is done in each. */
export interface FleetWork {
  readonly direction: Direction
  readonly wanted: readonly (ResolvedTenant | UnresolvedTenant)[]
  /** Tenants that are known to have nothing to do. */
  readonly skipped: readonly string[]
  readonly selection: UpSelection & DownSelection
  readonly extensionSchema: string | undefined
  readonly limit: ConnectionLimit
  /** When the run began, as `performance.now()` returned it. */
  readonly start: number
}

type Settings = FleetRunOptions & { readonly concurrency: number }

const DEFAULT_CANARY = 1
const DEFAULT_MAX_FAILURES = 10

/** Runs tenants and reports how each of them ended. */
export async function runFleet(plan: FleetWork, settings: Settings): Promise<FleetReport> {
  const { direction, wanted, skipped, selection, extensionSchema, limit, start } = plan
  const { concurrency, canary = DEFAULT_CANARY, maxFailures = DEFAULT_MAX_FAILURES, wait, signal, onEvent } = settings
  const { isolation = 'shared' } = settings
  const warnings: { tenant: string; message: string }[] = []
  onEvent?.({ type: 'planned', tenants: wanted.length, skipped: skipped.length })
  const preparation = { extensionSchema, isEnabling: direction === 'up', limit }
  const connections = isolation === 'shared' ? sharedConnections(limit) : null
  const run: TenantRun = {
    direction,
    selection,
    transaction: settings.transaction,
    opening: { ...preparation, prepare: preparing(preparation), signal, connections },
    onDone: (tenant, result) => {
      warnings.push(...result.warnings.map((message) => ({ tenant, message })))
      const migrations = result.migrations.map(({ name }) => name)
      const milliseconds = result.migrations.reduce((sum, each) => sum + each.milliseconds, 0)
      onEvent?.({ type: 'finished', tenant, migrations, milliseconds })
    },
  }
  const attempt = async (tenant: ResolvedTenant | UnresolvedTenant): Promise<Attempt> => {
    onEvent?.({ type: 'started', tenant: tenant.name })
    const result = await runTenant(tenant, run)
    if (result.outcome === 'failed') onEvent?.({ type: 'failed', ...result.failure })
    return result
  }
  const result = await runQueue(
    wanted,
    {
      concurrency,
      canary,
      maxFailures,
      wait: waitOf(wait),
      signal,
      onBusy: (tenant, holder) => onEvent?.({ type: 'busy', tenant, holder }),
      onStop: (reason) => onEvent?.({ type: 'stopped', reason }),
    },
    attempt,
  ).finally(() => connections?.close())
  return {
    direction,
    ...result,
    skipped: [...skipped, ...result.skipped],
    warnings,
    milliseconds: performance.now() - start,
  }
}
