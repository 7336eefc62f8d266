import { isPgvectorMigrationError, type ErrorCode } from '../core/errors.ts'
import type { Direction } from '../migrator/events.ts'
import { notedError } from '../migrator/run/notes.ts'

/** A tenant whose run failed, and why. */
export interface FailedTenant {
  readonly tenant: string
  /** The migration that failed; null if the run failed before or after its migrations. */
  readonly migration: string | null
  /** The code of an error of this library; null for any other error. */
  readonly code: ErrorCode | null
  readonly message: string
  readonly hint: string | null
  readonly sqlState: string | null
}

/** Why a run started no further tenant. */
export type Stop = 'canary' | 'maxFailures' | 'signal'

/** The result of a run of a fleet. Every tenant that was chosen is in one of its lists, by name. */
export interface FleetReport {
  readonly direction: Direction
  readonly done: readonly string[]
  /** Tenants that had nothing to do. */
  readonly skipped: readonly string[]
  /** Tenants that another run was migrating for longer than `wait`. */
  readonly busy: readonly string[]
  readonly failed: readonly FailedTenant[]
  /** Tenants that were not started, because the run was stopped before. */
  readonly notReached: readonly string[]
  readonly stopped: Stop | null
  readonly warnings: readonly { readonly tenant: string; readonly message: string }[]
  readonly milliseconds: number
}

/** Describes why the run of a tenant failed. Its message contains no passwords. */
export function failureOf(tenant: string, error: unknown): FailedTenant {
  const { message, sqlState } = notedError(error)
  if (!isPgvectorMigrationError(error)) return { tenant, migration: null, code: null, message, hint: null, sqlState }
  const { migration = null } = error.details as { readonly migration?: string | null }
  return { tenant, migration, code: error.code, message, hint: error.hint, sqlState: error.sqlState ?? sqlState }
}
