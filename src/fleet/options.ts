import type { Knex } from 'knex'

import type { Duration } from '../core/durations.ts'
import type { LockHolder } from '../core/errors.ts'
import {
  choiceKind,
  countKind,
  durationKind,
  functionKind,
  nameKind,
  optionsParser,
  required,
  signalKind,
  textKind,
  textsKind,
  valueKind,
  wholeNumberKind,
} from '../core/option-kinds.ts'
import type { TransactionMode } from '../migrator/events.ts'
import { downKinds, type DownSelection, type UpSelection } from '../migrator/select.ts'
import type { FailedTenant, Stop } from './report.ts'
import type { Tenant, Tenants } from './tenants.ts'

/** Options of {@link createFleet}. */
export interface FleetOptions {
  /** The tenants: `schemasLike`, `databasesLike`, or anything that can be iterated. */
  readonly tenants: Tenants
  /** Returns the Knex configuration of a tenant. The fleet adds the tenant's schema or connection to it. */
  readonly knex: (tenant: Tenant) => Knex.Config | Promise<Knex.Config>
  /**
   * The schema of the extension. If it is given, pgvector is enabled there once per database, before its tenants, and
   * the schema is on their search path; by default the migrations enable it.
   */
  readonly extensionSchema?: string | undefined
}

/** Which tenants to run: those with `pending` migrations, those whose last run `failed`, or these names. */
export type TenantChoice = 'pending' | 'failed' | readonly string[]

/** Options of every run of a fleet. */
export interface FleetRunOptions {
  /** How many tenants run at once; default 4. The fleet opens at most two connections more. */
  readonly concurrency?: number | undefined
  /** How many tenants run first, one after the other. If one of them fails, the others are not started. Default 1. */
  readonly canary?: number | undefined
  /** How many tenants may fail before no further tenant is started; default 10. Those that run are finished. */
  readonly maxFailures?: number | undefined
  /**
   * How a tenant is kept apart from the others: on a `shared` connection that is cleaned after each tenant, or on a new
   * `connection`. Default `shared`.
   */
  readonly isolation?: 'shared' | 'connection' | undefined
  /** How migrations of a tenant commit; default `each`. */
  readonly transaction?: TransactionMode | undefined
  /** How long to wait for a tenant that another run is migrating, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
  /** Stops the run: what runs is rolled back, and no further tenant is started. */
  readonly signal?: AbortSignal | undefined
  /** Receives the events of the run. */
  readonly onEvent?: ((event: FleetEvent) => void) | undefined
}

/** Options of `up` of a fleet. */
export interface FleetUpOptions extends FleetRunOptions, Pick<UpSelection, 'to' | 'skip'> {
  /** Which tenants to run: `pending`, `failed` (those whose last run failed), or a list of names; default `pending`. */
  readonly only?: TenantChoice | undefined
}

/** Options of `down` of a fleet. */
export interface FleetDownOptions extends FleetRunOptions, DownSelection {
  /** The names of the tenants to run; by default all. */
  readonly only?: readonly string[] | undefined
}

/** Options of `onboard` of a fleet. */
export type FleetOnboardOptions = Pick<FleetRunOptions, 'transaction' | 'wait' | 'signal' | 'onEvent'>

/** Options of `status` of a fleet. */
export interface FleetReadOptions {
  /** The names of the tenants; by default all. */
  readonly only?: readonly string[] | undefined
}

/** Options of the other questions to a fleet. */
export interface FleetQuestionOptions extends FleetReadOptions {
  /** How many tenants are read at once; default 4. */
  readonly concurrency?: number | undefined
  /** Stops reading further tenants. */
  readonly signal?: AbortSignal | undefined
}

/** Options of `plan` of a fleet. */
export interface FleetPlanOptions extends FleetQuestionOptions, Pick<UpSelection, 'to' | 'skip'> {}

/** Options of `doctor` of a fleet. */
export interface FleetDoctorOptions extends FleetQuestionOptions {
  /** The oldest version of pgvector to accept; default 0.5.0. */
  readonly minVersion?: string | undefined
}

/** An event of a running fleet. */
export type FleetEvent =
  /** The tenants are known: how many will run, and how many have nothing to do. */
  | { readonly type: 'planned'; readonly tenants: number; readonly skipped: number }
  | { readonly type: 'started'; readonly tenant: string }
  | {
      readonly type: 'finished'
      readonly tenant: string
      readonly migrations: readonly string[]
      readonly milliseconds: number
    }
  | ({ readonly type: 'failed' } & FailedTenant)
  /** Another run is migrating it. It is tried again later. */
  | { readonly type: 'busy'; readonly tenant: string; readonly holder: LockHolder | null }
  /** No further tenant is started. */
  | { readonly type: 'stopped'; readonly reason: Stop }

const isIterable = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)

const isTenantChoice = (value: unknown): boolean =>
  value === 'pending' || value === 'failed' || (Array.isArray(value) && value.every((each) => typeof each === 'string'))

const runKinds = {
  concurrency: countKind,
  canary: wholeNumberKind,
  maxFailures: wholeNumberKind,
  isolation: choiceKind(['shared', 'connection']),
  transaction: choiceKind(['each', 'batch']),
  wait: durationKind,
  signal: signalKind,
  onEvent: functionKind<(event: FleetEvent) => void>(),
} as const satisfies Record<keyof FleetRunOptions, unknown>

/** @internal */
export const parseFleetOptions = optionsParser({
  tenants: required(valueKind<Tenants>(isIterable, 'must be a list of tenants, or another iterable')),
  knex: required(functionKind<FleetOptions['knex']>()),
  extensionSchema: nameKind,
} as const satisfies Record<keyof FleetOptions, unknown>)

/** @internal */
export const parseFleetUpOptions = optionsParser({
  ...runKinds,
  to: textKind,
  skip: textsKind,
  only: valueKind<TenantChoice>(isTenantChoice, "must be 'pending', 'failed' or a list of names"),
} as const satisfies Record<keyof FleetUpOptions, unknown>)

/** @internal */
export const parseFleetDownOptions = optionsParser({
  ...runKinds,
  ...downKinds,
  only: textsKind,
} as const satisfies Record<keyof FleetDownOptions, unknown>)

/** @internal */
export const parseFleetOnboardOptions = optionsParser({
  transaction: runKinds.transaction,
  wait: runKinds.wait,
  signal: runKinds.signal,
  onEvent: runKinds.onEvent,
} as const satisfies Record<keyof FleetOnboardOptions, unknown>)

const questionKinds = {
  only: textsKind,
  concurrency: countKind,
  signal: signalKind,
} as const satisfies Record<keyof FleetQuestionOptions, unknown>

/** @internal */
export const parseFleetQuestionOptions = optionsParser(questionKinds)

/** @internal */
export const parseFleetPlanOptions = optionsParser({
  ...questionKinds,
  to: textKind,
  skip: textsKind,
} as const satisfies Record<keyof FleetPlanOptions, unknown>)

/** @internal */
export const parseFleetDoctorOptions = optionsParser({
  ...questionKinds,
  minVersion: textKind,
} as const satisfies Record<keyof FleetDoctorOptions, unknown>)

/** @internal */
export const parseFleetReadOptions = optionsParser({ only: textsKind } as const satisfies Record<
  keyof FleetReadOptions,
  unknown
>)
