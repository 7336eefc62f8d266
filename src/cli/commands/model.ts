import { PgvectorMigrationError } from '../../core/errors.ts'
import type { ModelChange } from '../../model-change/change-model.ts'
import type { AdvanceOptions, BackOptions, ModelStepOptions } from '../../model-change/change-options.ts'
import type { ModelChangeStatus } from '../../model-change/status.ts'
import { confirm } from '../confirm.ts'
import type { Context } from '../context.ts'
import { declaredChange } from '../declared-change.ts'
import { exitCode } from '../exit-code.ts'
import { describeChange } from '../output/model-change.ts'
import { showChange } from '../output/model-progress.ts'
import { withSignals } from '../run-options.ts'

interface Flags {
  readonly declared: string
  readonly model?: string
  readonly until?: NonNullable<AdvanceOptions['until']>
  readonly to?: NonNullable<BackOptions['to']>
  readonly batchSize?: number
  readonly concurrency?: number
  readonly wait: number
  readonly yes?: boolean
}

type Step = (context: Context, change: ModelChange, flags: Flags, step: ModelStepOptions) => Promise<ModelChangeStatus>

const steps = {
  status: ({ knex }, change) => change.status(knex),
  advance: ({ knex }, change, { until, batchSize, concurrency }, step) =>
    change.advance(knex, { ...step, until, batchSize, concurrency }),
  switch: ({ knex }, change, { batchSize, concurrency }, step) =>
    change.switch(knex, { ...step, batchSize, concurrency }),
  back: ({ knex }, change, { to }, step) => change.back(knex, { ...step, to }),
  contract: ({ knex }, change, _, step) => change.contract(knex, { ...step, confirm: true }),
} as const satisfies Record<string, Step>

/** Shows a change of model, or runs one of its steps. */
export async function run(context: Context, flags: Flags, action: string): Promise<number> {
  if (!isAction(action)) {
    const problems = [`action: must be one of ${Object.keys(steps).join(', ')}, not ${action}`]
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  const { print, isJson, isQuiet, knex } = context
  const change = await declaredChange(flags.declared, flags.model)
  if (action === 'contract' && flags.yes !== true && !(await isConfirmed(context, await change.status(knex)))) {
    print.line('Nothing was dropped')
    return exitCode.failure
  }
  const display = showChange(print, isJson || isQuiet)
  const logger = { info: () => undefined, warn: print.note }
  const status = await withSignals((signal) =>
    steps[action](context, change, flags, { signal, wait: flags.wait, logger, onEvent: display.onEvent }),
  ).finally(() => display.close())
  print.line(describeChange(status, flags.declared))
  print.document(status)
  return exitCode.done
}

function isAction(action: string): action is keyof typeof steps {
  return Object.hasOwn(steps, action)
}

async function isConfirmed({ isJson }: Context, { from, to, phase }: ModelChangeStatus): Promise<boolean> {
  if (phase === 'done') return true
  if (isJson || !process.stdin.isTTY || !process.stderr.isTTY) {
    const problems = ['--yes: is needed to drop the old column, because there is no terminal to ask on']
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  return confirm(`Drop the column ${from.column} with the vectors of ${from.model}, and keep only ${to.column}?`)
}
