import { PgvectorMigrationError } from '../../core/errors.ts'
import { createFleet, type Fleet } from '../../fleet/create-fleet.ts'
import type { FleetReport } from '../../fleet/report.ts'
import { confirm } from '../confirm.ts'
import type { Context } from '../context.ts'
import { exitCode, exitCodeOfSignal } from '../exit-code.ts'
import { diff, doctor, plan, type QuestionFlags } from '../fleet-questions.ts'
import { tenantsFrom, type TenantFlags } from '../fleet-tenants.ts'
import { yellow } from '../output/colour.ts'
import { commandLine } from '../output/failure.ts'
import { describeFleetLosses, describeReport, describeStatus } from '../output/fleet.ts'
import { withFleetProgress } from '../output/fleet-progress.ts'
import { signalThatStopped, withSignals } from '../run-options.ts'

interface Flags extends TenantFlags, QuestionFlags {
  readonly extensionSchema?: string
  readonly steps?: number
  readonly all?: boolean
  readonly canary: number
  readonly maxFailures: number
  readonly isolation?: 'shared' | 'connection'
  readonly wait: number
  readonly yes?: boolean
}

const actions = { status, plan, diff, doctor, up, retry, down, onboard } as const

/** Runs migrations in many schemas or databases. */
export async function run(context: Context, flags: Flags, action: string, schema?: string): Promise<number> {
  if (!isAction(action)) {
    const problems = [`action: must be one of ${Object.keys(actions).join(', ')}, not ${action}`]
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  const { knex, config } = context
  const { extensionSchema } = flags
  const isOnboarding = action === 'onboard'
  if (isOnboarding !== (schema !== undefined)) {
    const problem = isOnboarding ? 'schema: name that of the new tenant' : `schema: only onboard has one, not ${action}`
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
  }
  const tenants = isOnboarding ? [] : await tenantsFrom(knex, flags, context.print)
  const fleet = createFleet({ tenants, knex: () => config, extensionSchema })
  return actions[action](context, fleet, flags, schema)
}

function isAction(action: string): action is keyof typeof actions {
  return Object.hasOwn(actions, action)
}

async function status({ print }: Context, fleet: Fleet, flags: Flags): Promise<number> {
  const tenants = await fleet.status({ only: flags.only })
  print.line(describeStatus(tenants))
  print.document({ tenants })
  const isCurrent = tenants.every(({ state }) => state === 'current')
  return flags.exitCode === true && !isCurrent ? exitCode.found : exitCode.done
}

async function up(context: Context, fleet: Fleet, flags: Flags): Promise<number> {
  const { to, only } = flags
  return runAndReport(context, flags, (options) => fleet.up({ ...options, to, only }))
}

async function retry(context: Context, fleet: Fleet, flags: Flags): Promise<number> {
  if (flags.only !== undefined) {
    const problems = ['--only: cannot be combined with retry, which finds the failed tenants itself; use fleet up']
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  return runAndReport(context, flags, (options) => fleet.retry({ ...options, to: flags.to }))
}

async function down(context: Context, fleet: Fleet, flags: Flags): Promise<number> {
  const { print, isJson } = context
  const { to, steps, all, only, concurrency } = flags
  const selection = { to, steps, all, only }
  const losses = await withSignals((signal) => fleet.losses({ ...selection, concurrency, signal }))
  for (const line of describeFleetLosses(losses)) print.line(line)
  const migrations = losses.migrations.map(({ name }) => name)
  if (migrations.length > 0 && flags.yes !== true) {
    if (isJson || !process.stdin.isTTY || !process.stderr.isTTY)
      throw new PgvectorMigrationError('CONFIRMATION_NEEDED', { migrations })
    if (!(await confirm(`Roll back ${migrations.join(', ')}?`))) {
      print.line('Nothing was rolled back')
      return exitCode.failure
    }
  }
  return runAndReport(context, flags, (options) => fleet.down({ ...options, ...selection }))
}

async function onboard(context: Context, fleet: Fleet, flags: Flags, schema = ''): Promise<number> {
  const { wait } = flags
  return runAndReport(context, flags, ({ signal, onEvent } = {}) =>
    fleet.onboard({ name: schema, schema }, { wait, signal, onEvent }),
  )
}

type RunFleet = (options: Parameters<Fleet['retry']>[0]) => Promise<FleetReport>

async function runAndReport({ print, isQuiet }: Context, flags: Flags, start: RunFleet): Promise<number> {
  const { concurrency, canary, maxFailures, isolation, wait } = flags
  const report = await withSignals((signal) =>
    withFleetProgress(print, isQuiet, (onEvent) =>
      start({ concurrency, canary, maxFailures, isolation, wait, signal, onEvent }),
    ),
  )
  const next = nextCommands(report, flags)
  print.line(describeReport(report))
  for (const { tenant, message } of report.warnings) print.note(yellow(`${tenant}: ${message}`))
  for (const command of next) print.line(`Next: ${command}`)
  print.document({ ...report, next })
  const signal = signalThatStopped()
  if (report.stopped === 'signal' && signal !== null) return exitCodeOfSignal(signal)
  return isComplete(report) ? exitCode.done : exitCode.failure
}

function isComplete({ failed, busy, notReached }: FleetReport): boolean {
  return failed.length + busy.length + notReached.length === 0
}

// After a repair, the failed tenants can be tried alone. The same command goes on with everything that is left.
function nextCommands({ direction, failed, busy, notReached }: FleetReport, { only }: Flags): string[] {
  const words = process.argv.slice(2)
  const isUp = direction === 'up' && !words.includes('onboard')
  const retrying = words.map((word, place) => (word === 'up' && words[place - 1] === 'fleet' ? 'retry' : word))
  const isRetryFirst = isUp && failed.length > 0 && only === undefined
  const isLeft = busy.length + notReached.length > 0 || (failed.length > 0 && !isRetryFirst)
  const commands = [...(isRetryFirst ? [commandLine(retrying)] : []), ...(isLeft ? [commandLine(words)] : [])]
  return [...new Set(commands)]
}
