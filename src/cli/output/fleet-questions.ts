import type { FleetDifferences } from '../../fleet/diff.ts'
import type { FleetFindings } from '../../fleet/findings.ts'
import type { FailedTenant } from '../../fleet/report.ts'
import { green, red, yellow } from './colour.ts'

const MOST_NAMES = 5

/** Describes how tenants differ from what is declared. */
export function describeDifferences({ tenants, equal }: FleetDifferences): string[] {
  return [
    ...tenants.flatMap(({ tenant, differences }) => [
      tenant,
      ...differences.map(
        ({ kind, name }) => `  ${kind.endsWith('not declared') ? yellow('⚠') : red('✗')} ${kind}: ${name}`,
      ),
    ]),
    `${green('✓')} ${equal.length} as declared, ${tenants.length} not`,
  ]
}

/** Describes what was found, and in which tenants. What is in order is only counted. */
export function describeFindings({ findings }: FleetFindings): string[] {
  const open = findings.filter(({ level }) => level !== 'ok')
  return [
    ...open.flatMap(({ level, check, message, next, tenants }) => [
      `${level === 'error' ? red('✗') : yellow('⚠')} ${check}: ${message} (${namesOf(tenants)})`,
      ...(next === undefined ? [] : next.split('\n').map((step) => `    → ${step}`)),
    ]),
    `${green('✓')} ${findings.length - open.length} checks in order, ${open.length} findings`,
  ]
}

/** Describes the tenants that could not be read. */
export function describeUnread(failed: readonly FailedTenant[]): string[] {
  return failed.map(({ tenant, message }) => `${yellow('⚠')} ${tenant}: not known: ${message}`)
}

function namesOf(tenants: readonly string[]): string {
  const more = tenants.length - MOST_NAMES
  return tenants.slice(0, MOST_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
