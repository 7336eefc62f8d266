import { PgvectorMigrationError } from '../core/errors.ts'
import type { Fleet } from '../fleet/create-fleet.ts'
import { redactAll } from '../sql-text/redact.ts'
import type { Context } from './context.ts'
import { declaredVectors } from './declared-vectors.ts'
import { exitCode } from './exit-code.ts'
import { showMigration } from './commands/plan.ts'
import { describeDifferences, describeFindings, describeUnread } from './output/fleet-questions.ts'
import { divertConsole } from './output/quiet-console.ts'
import { withSignals } from './run-options.ts'
import { counted } from './output/counted.ts'

/** The flags of the questions to a fleet. */
export interface QuestionFlags {
  readonly only?: readonly string[]
  readonly to?: string
  readonly concurrency: number
  readonly declared?: string
  readonly minVersion?: string
  readonly exitCode?: boolean
}

/** Shows the SQL of pending migrations, once for tenants in the same state. */
export async function plan({ print, isQuiet }: Context, fleet: Fleet, flags: QuestionFlags): Promise<number> {
  divertConsole(isQuiet)
  const { to, only, concurrency } = flags
  const result = await withSignals((signal) => fleet.plan({ to, only, concurrency, signal }))
  print.document(redactAll(result))
  for (const { tenants, plan: planned } of result.plans) {
    print.line(`In ${counted(tenants.length, 'tenant')}: ${tenants.join(', ')}`)
    print.line()
    for (const migration of planned.migrations) showMigration(migration, print)
    for (const note of planned.notes) print.line(`Note: ${note}`)
  }
  if (result.plans.length === 0) print.line('Nothing is pending')
  for (const line of describeUnread(result.failed)) print.line(line)
  return result.failed.length > 0 ? exitCode.failure : exitCode.done
}

/** Compares every tenant with the declarations of a module. */
export async function diff({ print }: Context, fleet: Fleet, flags: QuestionFlags): Promise<number> {
  const { declared, only, concurrency } = flags
  if (declared === undefined) {
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: ['--declared: name the module to compare with'] })
  }
  const vectors = await declaredVectors(declared)
  const result = await withSignals((signal) => fleet.diff(vectors, { only, concurrency, signal }))
  for (const line of [...describeDifferences(result), ...describeUnread(result.failed)]) print.line(line)
  print.document(result)
  if (result.failed.length > 0) return exitCode.failure
  return flags.exitCode === true && result.tenants.length > 0 ? exitCode.found : exitCode.done
}

/** Checks every tenant and its database. */
export async function doctor({ print }: Context, fleet: Fleet, flags: QuestionFlags): Promise<number> {
  const { minVersion, only, concurrency } = flags
  const result = await withSignals((signal) => fleet.doctor({ minVersion, only, concurrency, signal }))
  for (const line of [...describeFindings(result), ...describeUnread(result.failed)]) print.line(line)
  print.document(result)
  if (result.failed.length > 0) return exitCode.failure
  return result.findings.some(({ level }) => level === 'error') ? exitCode.found : exitCode.done
}
