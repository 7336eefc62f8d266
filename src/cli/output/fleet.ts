import type { FleetLoss, FleetLosses } from '../../fleet/losses.ts'
import type { FleetReport, Stop } from '../../fleet/report.ts'
import type { TenantStatus } from '../../fleet/status.ts'
import { green, red, yellow } from './colour.ts'
import { table } from './table.ts'
import { counted } from './counted.ts'

const STOPS = {
  canary: 'a canary failed',
  maxFailures: 'more tenants failed than --max-failures allows',
  signal: 'the run was stopped',
} as const satisfies Record<Stop, string>

/** Describes how a run of a fleet ended. */
export function describeReport(report: FleetReport): string[] {
  const { direction, done, skipped, busy, failed, notReached, stopped } = report
  const verb = direction === 'up' ? 'migrated' : 'rolled back'
  return [
    `${green('✓')} ${counted(done.length, 'tenant')} ${verb}, ${skipped.length} with nothing to do`,
    ...(failed.length === 0 ? [] : [`${red('✗')} ${counted(failed.length, 'tenant')} failed:`]),
    ...(failed.length === 0
      ? []
      : table(
          ['Tenant', 'Migration', 'Error'],
          failed.map(({ tenant, migration, code, message, sqlState }) => [
            tenant,
            migration ?? '',
            `${message} (${sqlState ?? code ?? 'no code'})`,
          ]),
        )),
    ...(busy.length === 0 ? [] : [`${yellow('⚠')} Another run is migrating: ${busy.join(', ')}`]),
    ...(notReached.length === 0
      ? []
      : [`${yellow('⚠')} ${counted(notReached.length, 'tenant')} not reached, because ${STOPS[stopped ?? 'signal']}`]),
  ]
}

/** Describes the tenants that are not current, and counts the others. */
export function describeStatus(tenants: readonly TenantStatus[]): string[] {
  const open = tenants.filter(({ state }) => state !== 'current')
  const rows = open.map(({ tenant, state, applied, pending, missing, reason }) => [
    tenant,
    state === 'failed' || state === 'unreadable' ? red(state) : yellow(state),
    String(applied),
    pending.join(', '),
    [
      ...(missing.length === 0 ? [] : [`missing files: ${missing.join(', ')}`]),
      ...(reason === null ? [] : [reason]),
    ].join('; '),
  ])
  return [
    ...(rows.length === 0 ? [] : table(['Tenant', 'State', 'Applied', 'Pending', 'Reason'], rows)),
    `${counted(tenants.length, 'tenant')}: ${tenants.length - open.length} current, ${open.length} not`,
  ]
}

/** Describes what rolling back would delete, in all tenants together. */
export function describeFleetLosses({ migrations, tables, columns, failed, warnings }: FleetLosses): string[] {
  const rows = [
    ...tables.map((lost) => [lost.table, 'table', amount(lost, 'row'), String(lost.tenants)]),
    ...columns.map((lost) => [`${lost.table}.${lost.column}`, 'column', amount(lost, 'value'), String(lost.tenants)]),
  ]
  return [
    ...migrations.map(({ name, tenants }) => `would roll back ${name} in ${counted(tenants, 'tenant')}`),
    ...(rows.length === 0
      ? ['No table and no column would be lost']
      : [red('This would be lost:'), ...table(['What', 'Type', 'How much', 'Tenants'], rows)]),
    ...failed.map(({ tenant, message }) => `${yellow('⚠')} ${tenant}: not known: ${message}`),
    ...warnings.map(({ tenant, message }) => `${yellow('⚠')} ${tenant}: ${message}`),
  ]
}

function amount({ rows, isEstimate }: FleetLoss, what: string): string {
  return rows === null ? `an unknown number of ${what}s` : `${isEstimate ? '~' : ''}${counted(rows, what)}`
}
