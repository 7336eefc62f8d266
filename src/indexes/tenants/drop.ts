import { parseOptions } from '../../core/parse-options.ts'
import { type Database, sessionOf } from '../../database/session.ts'
import { dropVectorIndex } from '../drop-vector-index.ts'
import { readTenantsWithIndex } from './look.ts'
import {
  dropTenantOptions,
  type DropTenantIndexesOptions,
  type ParsedDropOptions,
  type TenantIndex,
} from './options.ts'
import { describe, warningsOf } from './plan.ts'
import { assertTenantRule, tenantIndex, type TenantRule } from './rule.ts'

/** The result of {@link dropTenantIndexes}. */
export interface DropTenantIndexesResult {
  readonly dropped: readonly TenantIndex[]
  /** Those that an earlier migration built. */
  readonly kept: readonly TenantIndex[]
  readonly warnings: readonly string[]
}

/**
 * Drops the indexes of all tenants of a rule that this library built, according to its log, without blocking reads or
 * writes. It keeps every other index.
 *
 * @example const { dropped } = await dropTenantIndexes(knex, byTenant)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, and what {@link dropVectorIndex} throws.
 */
export async function dropTenantIndexes(
  db: Database,
  rule: TenantRule,
  options: DropTenantIndexesOptions = {},
): Promise<DropTenantIndexesResult> {
  assertTenantRule(rule)
  const needs = parseOptions(dropTenantOptions, options)
  const seen = await readTenantsWithIndex(sessionOf(db), rule, needs.log)
  const ours = seen.tenants.filter(({ index }) => index?.isOurs === true).map((each) => describe(rule, each))
  const result = await dropOfTenants(db, rule, ours, needs)
  return { ...result, warnings: [...warningsOf(seen), ...result.warnings] }
}

/** Drops these, one after the other. @internal */
export async function dropOfTenants(
  db: Database,
  rule: TenantRule,
  indexes: readonly TenantIndex[],
  { lockTimeout, wait, signal, onEvent, logger, log }: ParsedDropOptions,
): Promise<DropTenantIndexesResult> {
  const dropped: TenantIndex[] = []
  const kept: TenantIndex[] = []
  const warnings: string[] = []
  for (const each of indexes) {
    const index = { ...tenantIndex(rule, each.tenant), name: each.index }
    const result = await dropVectorIndex(db, index, { lockTimeout, wait, signal, onEvent, logger, log })
    warnings.push(...result.warnings)
    if (result.status === 'kept') kept.push(each)
    if (result.status !== 'dropped') continue
    dropped.push(each)
    onEvent?.({ type: 'dropped', ...each })
  }
  return { dropped, kept, warnings }
}
