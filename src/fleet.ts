export { createFleet, type Fleet } from './fleet/create-fleet.ts'
export { databasesLike, schemasLike } from './fleet/enumerate.ts'
export type { FleetDifferences } from './fleet/diff.ts'
export type { FleetFindings } from './fleet/findings.ts'
export type { FleetLoss, FleetLosses } from './fleet/losses.ts'
export type {
  FleetDoctorOptions,
  FleetDownOptions,
  FleetEvent,
  FleetOnboardOptions,
  FleetOptions,
  FleetPlanOptions,
  FleetQuestionOptions,
  FleetReadOptions,
  FleetRunOptions,
  FleetUpOptions,
  TenantChoice,
} from './fleet/options.ts'
export type { FleetPlan } from './fleet/plan.ts'
export type { FailedTenant, FleetReport, Stop } from './fleet/report.ts'
export type { TenantStatus } from './fleet/status.ts'
export type { Tenant, Tenants } from './fleet/tenants.ts'
