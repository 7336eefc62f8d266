import { connectionLimit, type ConnectionLimit } from '../database/connection-limit.ts'
import { sharedConnections } from '../database/shared-connections.ts'
import type { DeclaredVectors } from '../diff/diff.ts'
import { diffTenants, type FleetDifferences } from './diff.ts'
import { diagnoseTenants, type FleetFindings } from './findings.ts'
import { withSchema } from './onboard.ts'
import type { Opening } from './open-tenant.ts'
import { planTenants, type FleetPlan } from './plan.ts'
import { sumLosses, type FleetLosses } from './losses.ts'
import {
  parseFleetDownOptions,
  parseFleetOnboardOptions,
  parseFleetOptions,
  parseFleetDoctorOptions,
  parseFleetPlanOptions,
  parseFleetQuestionOptions,
  parseFleetReadOptions,
  parseFleetUpOptions,
  type FleetDownOptions,
  type FleetDoctorOptions,
  type FleetOnboardOptions,
  type FleetOptions,
  type FleetPlanOptions,
  type FleetQuestionOptions,
  type FleetReadOptions,
  type FleetUpOptions,
} from './options.ts'
import { preparing } from './prepare.ts'
import type { FleetReport } from './report.ts'
import { resolveTenants, type ResolvedTenant, type UnresolvedTenant } from './resolve.ts'
import { runFleet } from './run.ts'
import { chosenTenants, tenantsToRun } from './select.ts'
import { scanTenants, statusOfTenant, type TenantStatus } from './status.ts'
import { collectTenants, type Tenant } from './tenants.ts'

/** The same migrations in many schemas or databases. */
export interface Fleet {
  /**
   * Applies pending migrations in every tenant. A failure of one tenant is in the report and does not stop the others,
   * within `canary` and `maxFailures`.
   */
  up(options?: FleetUpOptions): Promise<FleetReport>
  /** Does the same for the tenants whose last run failed, or was killed. */
  retry(options?: Omit<FleetUpOptions, 'only'>): Promise<FleetReport>
  /**
   * Adds a tenant: creates its schema if it does not exist, and applies all migrations. The tenant need not be among those
   * of the fleet yet. After a failure, call it again.
   */
  onboard(tenant: Tenant, options?: FleetOnboardOptions): Promise<FleetReport>
  /** Rolls back migrations in every tenant, newest first; by default one in each. */
  down(options?: FleetDownOptions): Promise<FleetReport>
  /** What rolling back would lose, in all tenants together. It changes nothing. */
  losses(
    options?: Pick<FleetDownOptions, 'steps' | 'to' | 'all' | 'only' | 'concurrency' | 'signal'>,
  ): Promise<FleetLosses>
  /** The SQL of the pending migrations, once for tenants in the same state. It only reads. */
  plan(options?: FleetPlanOptions): Promise<FleetPlan>
  /** Compares every tenant with declared columns, indexes and embeddings. It only reads. */
  diff(declared: DeclaredVectors, options?: FleetQuestionOptions): Promise<FleetDifferences>
  /** Checks every tenant and its database as `diagnose` does. It only reads. */
  doctor(options?: FleetDoctorOptions): Promise<FleetFindings>
  /** The state of every tenant, from its own tables. It only reads. */
  status(options?: FleetReadOptions): Promise<readonly TenantStatus[]>
}

const DEFAULT_CONCURRENCY = 4

/**
 * Creates a fleet: many tenants that have the same migrations, each in its own schema or database.
 *
 * Nothing is stored about the fleet. What is applied is in the Knex tables of each tenant, so a run that was killed is
 * continued by running it again, and stock Knex can still be used.
 *
 * @example
 * const fleet = createFleet({
 *   tenants: schemasLike(knex, 'tenant\\_%'),
 *   knex: () => config,
 *   extensionSchema: 'public',
 * })
 * const { failed } = await fleet.up({ concurrency: 4, canary: 5 })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS. Its methods throw it too, for tenants that cannot be in one fleet.
 */
export function createFleet(options: FleetOptions): Fleet {
  const { tenants: source, knex: configOf, extensionSchema } = parseFleetOptions(options)
  const resolve = async (
    only: readonly string[] | undefined,
    limit: ConnectionLimit,
  ): Promise<readonly (ResolvedTenant | UnresolvedTenant)[]> =>
    resolveTenants(chosenTenants(await collectTenants(source), only), configOf, limit)
  const up = async (given: unknown): Promise<FleetReport> => {
    const start = performance.now()
    const { only = 'pending', to, skip, ...settings } = parseFleetUpOptions(given)
    const { concurrency = DEFAULT_CONCURRENCY } = settings
    const limit = limitFor(concurrency)
    const selection = { to, skip }
    const tenants = await resolve(typeof only === 'string' ? undefined : only, limit)
    const { wanted, skipped } = await tenantsToRun(tenants, {
      selection,
      isRetry: only === 'failed',
      limit,
      concurrency,
    })
    const plan = { direction: 'up', wanted, skipped, selection, extensionSchema, limit, start } as const
    return runFleet(plan, { ...settings, concurrency })
  }
  const asking = async <Answer>(
    { only, concurrency = DEFAULT_CONCURRENCY, signal }: FleetQuestionOptions,
    ask: (
      tenants: readonly (ResolvedTenant | UnresolvedTenant)[],
      opening: Opening,
      concurrency: number,
    ) => Promise<Answer>,
  ): Promise<Answer> => {
    const limit = limitFor(concurrency)
    const preparation = { extensionSchema, isEnabling: false, limit }
    const connections = sharedConnections(limit)
    const opening = { ...preparation, prepare: preparing(preparation), signal, connections }
    return ask(await resolve(only, limit), opening, concurrency).finally(() => connections.close())
  }
  return {
    up,
    retry: (given = {}) => up({ ...given, only: 'failed' }),
    onboard: async (tenant, given) => {
      const start = performance.now()
      const settings = parseFleetOnboardOptions(given)
      const limit = limitFor(1)
      const resolved = await resolveTenants(await collectTenants([tenant]), configOf, limit)
      const wanted = await Promise.all(resolved.map((each) => withSchema(each, limit)))
      const plan = { direction: 'up', wanted, skipped: [], selection: {}, extensionSchema, limit, start } as const
      return runFleet(plan, { ...settings, concurrency: 1, canary: 0 })
    },
    down: async (given) => {
      const start = performance.now()
      const { only, steps, to, all, ...settings } = parseFleetDownOptions(given)
      const { concurrency = DEFAULT_CONCURRENCY } = settings
      const limit = limitFor(concurrency)
      const wanted = await resolve(only, limit)
      const selection = { steps, to, all }
      const plan = { direction: 'down', wanted, skipped: [], selection, extensionSchema, limit, start } as const
      return runFleet(plan, { ...settings, concurrency })
    },
    losses: async (given) => {
      const { steps, to, all, ...settings } = parseFleetDownOptions(given)
      return asking(settings, (tenants, opening, concurrency) =>
        sumLosses(tenants, opening, { steps, to, all }, concurrency),
      )
    },
    plan: async (given) => {
      const { to, skip, ...settings } = parseFleetPlanOptions(given)
      return asking(settings, async (tenants, opening, concurrency) =>
        planTenants(tenants, await scanTenants(tenants, opening.limit, concurrency), opening, { to, skip }),
      )
    },
    diff: async (declared, given) =>
      asking(parseFleetQuestionOptions(given), (tenants, opening, concurrency) =>
        diffTenants(tenants, opening, declared, concurrency),
      ),
    doctor: async (given) => {
      const { minVersion, ...settings } = parseFleetDoctorOptions(given)
      return asking(settings, (tenants, opening, concurrency) =>
        diagnoseTenants(tenants, opening, minVersion, concurrency),
      )
    },
    status: async (given) => {
      const { only } = parseFleetReadOptions(given)
      const limit = limitFor(DEFAULT_CONCURRENCY)
      const tenants = await resolve(only, limit)
      const scan = await scanTenants(tenants, limit, DEFAULT_CONCURRENCY)
      return Promise.all(tenants.map((tenant) => statusOfTenant(tenant, scan)))
    },
  }
}

// One more prepares the next database, and one is for a migration that needs a second connection.
function limitFor(concurrency: number): ConnectionLimit {
  return connectionLimit(concurrency + 2)
}
