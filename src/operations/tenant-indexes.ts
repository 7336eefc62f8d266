import type { Knex } from 'knex'

import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { dropTenantIndexes } from '../indexes/tenants/drop.ts'
import { ensureTenantIndexes } from '../indexes/tenants/ensure.ts'
import { ensureTenantOptions, type EnsureTenantIndexesOptions } from '../indexes/tenants/options.ts'
import { isTenantRule, tenantRule, type TenantRule, type TenantRuleOptions } from '../indexes/tenants/rule.ts'
import type { VectorIndex } from '../indexes/vector-index.ts'
import type { Operation } from './operation.ts'

/** How a migration builds the indexes of tenants. */
export type TenantIndexesOperationOptions = Omit<EnsureTenantIndexesOptions, 'signal'>

/** A rule that was declared before, or an index and the rule; then the build options. */
export type TenantIndexesArguments =
  | readonly [rule: TenantRule, options?: TenantIndexesOperationOptions]
  | readonly [index: VectorIndex, rule: TenantRuleOptions, options?: TenantIndexesOperationOptions]

const operationOptions = lazySchema(() => ensureTenantOptions().omit({ signal: true }))

/**
 * Builds an index for each big tenant outside a transaction, without blocking writes, and drops those that are no longer
 * needed, as {@link ensureTenantIndexes} does. Run that again whenever tenants may have grown. `down` drops all of them that
 * this library built.
 *
 * @example new TenantIndexes(byMeaning, { column: 'tenant_id', above: 20_000, atMost: 50 })
 */
export class TenantIndexes implements Operation {
  readonly description: string
  readonly transaction = false
  // An index can be dropped in a transaction if blocking other sessions for a moment is acceptable.
  readonly downInTransaction = true
  readonly #rule: TenantRule
  readonly #options: TenantIndexesOperationOptions

  constructor(...given: TenantIndexesArguments) {
    const isDeclared = isRule(given)
    const options = isDeclared ? given[1] : given[2]
    this.#rule = isDeclared ? given[0] : tenantRule(given[0], given[1])
    if (options !== undefined) parseOptions(operationOptions, options)
    this.#options = options ?? {}
    const { index, column } = this.#rule
    this.description = `build indexes like ${index.name} for each big ${column}`
  }

  async up(knex: Knex): Promise<void> {
    await ensureTenantIndexes(knex, this.#rule, this.#options)
  }

  async down(knex: Knex): Promise<void> {
    const { maxMemory: _, workers: __, ...options } = this.#options
    await dropTenantIndexes(knex, this.#rule, options)
  }
}

function isRule(
  given: TenantIndexesArguments,
): given is readonly [rule: TenantRule, options?: TenantIndexesOperationOptions] {
  return isTenantRule(given[0])
}
