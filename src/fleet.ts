export { createFleet, type Fleet } from './fleet/create-fleet.ts'
export { databasesLike, schemasLike } from './fleet/enumerate.ts'
export type { FleetLoss, FleetLosses } from './fleet/losses.ts'
export type {
  FleetDownOptions,
  FleetEvent,
  FleetOnboardOptions,
  FleetOptions,
  FleetReadOptions,
  FleetRunOptions,
  FleetUpOptions,
  TenantChoice,
} from './fleet/options.ts'
export type { FailedTenant, FleetReport, Stop } from './fleet/report.ts'
export type { TenantStatus } from './fleet/status.ts'
export type { Tenant, Tenants } from './fleet/tenants.ts'
