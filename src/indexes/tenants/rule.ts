import { fittingName, shortHash } from '../../core/names.ts'
import { nameOption } from '../../core/options.ts'
import { lazySchema, parseOptions } from '../../core/parse-options.ts'
import { PgvectorMigrationError } from '../../core/errors.ts'
import { identifier, literal } from '../../core/sql.ts'
import { assertIndex, conditionSql, isVectorIndex, type VectorIndex } from '../vector-index.ts'

/** Which tenants get an index of their own. */
export interface TenantRuleOptions {
  /** The column that says whose row it is: smallint, integer, bigint, uuid, text or varchar. */
  readonly column: string
  /** A tenant with more rows gets an index; default 20000. It keeps it until it has a fifth fewer. */
  readonly above?: number | undefined
  /** The most indexes of tenants, 1 to 1000; default 50. The biggest tenants get them. */
  readonly atMost?: number | undefined
}

/** A rule by which big tenants get an index of their own, as a value. */
export interface TenantRule {
  /** The index of all tenants, which those of single tenants are like. */
  readonly index: VectorIndex
  readonly column: string
  readonly above: number
  readonly atMost: number
}

const MOST_INDEXES = 1000

const ruleOptions = lazySchema((z) => {
  const count = z.int('must be a whole number').min(1, 'must be at least 1')
  return z.strictObject({
    column: nameOption(),
    above: count.default(20_000),
    atMost: count.max(MOST_INDEXES, `must be at most ${MOST_INDEXES}`).default(50),
  })
})

/**
 * Declares which tenants get an index of their own: a partial index on the rows of that tenant alone, with the method,
 * metric and storage of an index of all tenants. It sends nothing to the server.
 *
 * @example
 * ```ts
 * const byTenant = tenantRule(byMeaning, { column: 'tenant_id', above: 20_000, atMost: 50 })
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function tenantRule(index: VectorIndex, options: TenantRuleOptions): TenantRule {
  assertIndex(index)
  return { index, ...parseOptions(ruleOptions, options) }
}

/** Whether a value is a rule. It is recognised by shape, because it may come from another copy of this package. */
export function isTenantRule(value: unknown): value is TenantRule {
  const { index, column, above, atMost } = (value ?? {}) as Partial<TenantRule>
  return isVectorIndex(index) && typeof column === 'string' && typeof above === 'number' && typeof atMost === 'number'
}

/** @throws {PgvectorMigrationError} INVALID_OPTIONS */
export function assertTenantRule(value: unknown): asserts value is TenantRule {
  if (isTenantRule(value)) return
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: ['rule: must be created by tenantRule'] })
}

/** Returns the index of one tenant; `tenant` is the value of the column as PostgreSQL prints it. */
export function tenantIndex({ index, column }: Pick<TenantRule, 'index' | 'column'>, tenant: string): VectorIndex {
  const condition = conditionSql(index)
  // The type of the literal is that of the column.
  const isOfTenant = `${identifier(column)} operator(pg_catalog.=) ${literal(tenant)}`
  const { lists: _, ...parameters } = index.parameters
  return {
    ...index,
    name: `${prefixOf(index.name)}${shortHash(JSON.stringify([column, tenant]), HASH)}`,
    // The number of lists depends on the rows of the tenant.
    parameters,
    where: condition === null ? isOfTenant : `${condition} and ${isOfTenant}`,
  }
}

const INFIX = '_tenant_'
const HASH = 12

function prefixOf(name: string): string {
  return `${fittingName(name.replace(/_idx$/, ''), '', INFIX.length + HASH)}${INFIX}`
}

/** Whether an index has a name like those that {@link tenantIndex} gives, of any rule; quoted where necessary. */
export function isLikeTenantIndex(name: string): boolean {
  return /_tenant_[0-9a-f]{12}"?$/.test(name)
}

/** Whether an index has a name that {@link tenantIndex} gives to the index of a tenant. */
export function isNameOfTenantIndex(index: Pick<VectorIndex, 'name'>, name: string): boolean {
  const prefix = prefixOf(index.name)
  return name.startsWith(prefix) && /^[0-9a-f]{12}$/.test(name.slice(prefix.length))
}
