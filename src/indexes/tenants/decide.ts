import type { TenantRule } from './rule.ts'

/** A tenant, its rows, and the index of them. */
export interface SeenTenant {
  /** The value of the tenant's column, as PostgreSQL prints it. */
  readonly tenant: string
  /** The rows that an index of the tenant holds; 0 if they are too few to be counted. */
  readonly rows: number
  /** Null if there is none. */
  readonly index: { readonly name: string; readonly isValid: boolean; readonly isOurs: boolean } | null
}

/** What to do about the indexes of tenants. */
export interface TenantDecision {
  /** The biggest tenant first. */
  readonly build: readonly SeenTenant[]
  readonly drop: readonly SeenTenant[]
  readonly keep: readonly SeenTenant[]
}

/**
 * A tenant that has an index counts for this much more, so that one around a limit does not gain and lose its index all
 * the time: it keeps it until it has a fifth fewer rows than `above`, or another tenant has a quarter more than it.
 */
const LOYALTY = 1.25

/** Returns the rows above which a tenant that has an index keeps it. */
export function keptAbove({ above }: Pick<TenantRule, 'above'>): number {
  return Math.floor(above / LOYALTY)
}

/** Decides which tenants have an index from now on. An index that is not ours stays. */
export function decideTenants(
  { above, atMost }: Pick<TenantRule, 'above' | 'atMost'>,
  tenants: readonly SeenTenant[],
): TenantDecision {
  const wanted = new Set(
    tenants
      .filter((each) => weightOf(each) > above)
      .toSorted((left, right) => weightOf(right) - weightOf(left) || order(left, right))
      .slice(0, atMost),
  )
  const biggestFirst = tenants.toSorted((left, right) => right.rows - left.rows || order(left, right))
  const isBuilt = (each: SeenTenant): boolean => wanted.has(each) && each.index?.isValid !== true
  const isDropped = ({ index }: SeenTenant): boolean => index !== null && index.isOurs
  return {
    build: biggestFirst.filter(isBuilt),
    drop: biggestFirst.filter((each) => !wanted.has(each) && isDropped(each)),
    keep: biggestFirst.filter(
      (each) => each.index !== null && !isBuilt(each) && (wanted.has(each) || !isDropped(each)),
    ),
  }
}

function weightOf({ rows, index }: SeenTenant): number {
  return index?.isValid === true ? rows * LOYALTY : rows
}

function order(left: SeenTenant, right: SeenTenant): number {
  return left.tenant < right.tenant ? -1 : 1
}
