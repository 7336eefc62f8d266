import { parseOptions } from '../../core/parse-options.ts'
import { loggerFrom } from '../../database/logger.ts'
import { type Database, sessionOf } from '../../database/session.ts'
import { buildIndex } from '../build/create-vector-index.ts'
import { afterChanges } from '../build/errors.ts'
import { dropOfTenants } from './drop.ts'
import { detailsOfTenant, readTenants } from './look.ts'
import { ensureTenantOptions, type EnsureTenantIndexesOptions, type TenantIndex } from './options.ts'
import { planFrom } from './plan.ts'
import { assertTenantRule, tenantIndex, type TenantRule } from './rule.ts'

/** The result of {@link ensureTenantIndexes}. */
export interface TenantIndexesResult {
  readonly built: readonly TenantIndex[]
  readonly dropped: readonly TenantIndex[]
  readonly kept: readonly TenantIndex[]
  readonly warnings: readonly string[]
}

/**
 * Makes sure that every big tenant has an index of its own, and no other tenant has one that this library built. It counts
 * the tenants in one query, drops the indexes that are no longer needed, and then builds what is missing, one index at a
 * time and the biggest tenant first, each as {@link createVectorIndex} does. Run it in a migration, and again whenever
 * tenants may have grown, such as each night.
 *
 * A tenant around the limit does not gain and lose its index all the time: it keeps it until it has a fifth fewer rows than
 * `above`, or a tenant without an index has a quarter more. Rows whose tenant is null get no index of their own. If a run is
 * killed at any point, the next one finishes it.
 *
 * @example
 * ```ts
 * const byTenant = tenantRule(byMeaning, { column: 'tenant_id', above: 20_000, atMost: 50 })
 * const { built, dropped } = await ensureTenantIndexes(knex, byTenant)
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, RELATION_NOT_FOUND, TENANT_INDEXES_NOT_POSSIBLE, and what {@link
 * createVectorIndex} and {@link dropVectorIndex} throw. The next run continues after the indexes that were finished.
 */
export async function ensureTenantIndexes(
  db: Database,
  rule: TenantRule,
  options: EnsureTenantIndexesOptions = {},
): Promise<TenantIndexesResult> {
  assertTenantRule(rule)
  const { onEvent, ...needs } = parseOptions(ensureTenantOptions, options)
  const { warnings: found, ...plan } = planFrom(rule, await readTenants(sessionOf(db), rule, needs.log))
  onEvent?.({ type: 'planned', ...plan })
  const warnings: string[] = []
  const logger = loggerFrom(needs.logger)
  for (const warning of found) {
    logger.warn(warning)
    warnings.push(warning)
  }
  const dropped = await dropOfTenants(db, rule, plan.drop, { ...needs, onEvent })
  warnings.push(...dropped.warnings)
  const built: TenantIndex[] = []
  const kept: TenantIndex[] = [...plan.keep, ...dropped.kept]
  for (const each of plan.build) {
    const index = tenantIndex(rule, each.tenant)
    const about = detailsOfTenant(rule, each.tenant)
    const result = await buildIndex(db, index, { ...needs, whenEmpty: 'refuse', onEvent }, about).catch(
      (error: unknown) => {
        const changes = [...dropped.dropped.map(({ index: name }) => `dropped index ${name}`), ...built.map(wasBuilt)]
        throw changes.length === 0 ? error : afterChanges(error, changes)
      },
    )
    warnings.push(...result.warnings)
    const name = { ...each, index: result.name ?? index.name }
    // Another run may have built it in the meantime.
    if (result.status !== 'built') kept.push(name)
    else {
      built.push(name)
      onEvent?.({ type: 'built', ...name, done: built.length, total: plan.build.length })
    }
  }
  return { built, dropped: dropped.dropped, kept, warnings }
}

function wasBuilt({ index }: TenantIndex): string {
  return `built index ${index}`
}
