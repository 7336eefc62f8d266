import type { Knex } from 'knex'

import { green, red, yellow } from '../output/colour.ts'
import { PgvectorMigrationError } from '../../core/errors.ts'
import { timeText } from '../../core/time-text.ts'
import { backfill } from '../../embeddings/backfill.ts'
import { embeddingLabel, type Embedding } from '../../embeddings/embedding.ts'
import { inStep, isAllInStep, type InStep } from '../../embeddings/in-step.ts'
import { keepInStep } from '../../embeddings/keep-in-step.ts'
import { retryInStep } from '../../embeddings/retry.ts'
import { verifyInStep } from '../../embeddings/verify.ts'
import { runningChange, type RunningChange } from '../../model-change/running.ts'
import type { Context } from '../context.ts'
import { declaredEmbeddings } from '../declared-vectors.ts'
import { exitCode } from '../exit-code.ts'
import { showWork } from '../output/work-progress.ts'
import { withSignals } from '../run-options.ts'
import { counted } from '../output/counted.ts'

interface Flags {
  readonly declared: string
  readonly only?: readonly string[]
  readonly follow?: boolean
  readonly mark?: boolean
  readonly batchSize?: number
  readonly concurrency?: number
}

const actions = { status, work, verify, retry } as const

/** Shows how many vectors are in step with their rows, and generates those that are not. */
export async function run(context: Context, flags: Flags, action: string): Promise<number> {
  if (!isAction(action)) {
    throw invalid(`action: must be one of ${Object.keys(actions).join(', ')}, not ${action}`)
  }
  const { embeddings, targets } = await declaredEmbeddings(flags.declared)
  if (embeddings.length === 0) throw invalid(`--declared: ${flags.declared} exports nothing that embedding returned`)
  const unknown = (flags.only ?? []).filter((name) => !embeddings.some((each) => embeddingLabel(each) === name))
  if (unknown.length > 0) {
    throw invalid(`--only: declared are ${embeddings.map(embeddingLabel).join(', ')}, not ${unknown.join(', ')}`)
  }
  const chosen = embeddings.filter((each) => flags.only === undefined || flags.only.includes(embeddingLabel(each)))
  const isTarget = (each: Embedding): boolean => targets.some((one) => embeddingLabel(one) === embeddingLabel(each))
  const begun = await Promise.all(chosen.map(async (each) => !isTarget(each) || (await hasColumn(context.knex, each))))
  return actions[action](
    context,
    flags,
    chosen.filter((_, place) => begun[place]),
  )
}

// A change of model adds the column of its target.
async function hasColumn(knex: Knex, each: Embedding): Promise<boolean> {
  try {
    await inStep(knex, each)
    return true
  } catch (error) {
    if (error instanceof PgvectorMigrationError && error.code === 'RELATION_NOT_FOUND') return false
    throw error
  }
}

function isAction(action: string): action is keyof typeof actions {
  return Object.hasOwn(actions, action)
}

function invalid(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
}

async function status({ knex, print }: Context, _: Flags, chosen: readonly Embedding[]): Promise<number> {
  const all: (InStep & { readonly name: string; readonly model: string; readonly change: RunningChange | null })[] = []
  for (const each of chosen) {
    const change = await runningChange(knex, each)
    all.push({ name: embeddingLabel(each), model: each.model, ...(await inStep(knex, each)), change })
  }
  for (const each of all) {
    print.line(`${isAllInStep(each) ? green('✓') : yellow('⚠')} ${each.name}: ${describe(each)}`)
    if (each.change !== null) print.line(`    ${describeChange(each.change)}`)
  }
  print.document(all)
  return all.every(isAllInStep) ? exitCode.done : exitCode.found
}

function describe(found: InStep): string {
  const { stale, missing, failed, oldest } = found
  if (isAllInStep(found)) return 'in step'
  const since = oldest === null ? '' : `, the oldest since ${timeText(oldest.toISOString())}`
  return `${stale} stale, ${missing} missing, ${failed} failed${since}`
}

function describeChange({ from, to, phase, next }: RunningChange): string {
  return `changing from ${from.model} to ${to.model}: next phase ${phase ?? 'unknown'}, ${next ?? 'npx knex-pgvector model status'}`
}

async function work(
  { knex, print, isJson, isQuiet }: Context,
  { follow = false, batchSize, concurrency }: Flags,
  chosen: readonly Embedding[],
): Promise<number> {
  const results = await withSignals((signal) =>
    Promise.all(
      chosen.map(async (each) => {
        const name = embeddingLabel(each)
        // Several bars would overwrite each other.
        const display = showWork(print, name, isJson || isQuiet || chosen.length > 1)
        const options = { batchSize, concurrency, signal, onEvent: display.onEvent, logger: false } as const
        const result = await (follow ? keepInStep(knex, each, options) : backfill(knex, each, options)).finally(() =>
          display.close(),
        )
        return { name, ...result, ...(await inStep(knex, each)) }
      }),
    ),
  )
  for (const result of results) {
    const mark = isAllInStep(result) ? green('✓') : yellow('⚠')
    print.line(`${mark} ${result.name}: ${counted(result.filled, 'vector')} generated; ${describe(result)}`)
  }
  print.document(results)
  return results.every(isAllInStep) ? exitCode.done : exitCode.found
}

async function verify({ knex, print }: Context, { mark }: Flags, chosen: readonly Embedding[]): Promise<number> {
  const results = await withSignals(async (signal) => {
    const all = []
    for (const each of chosen) {
      all.push({ name: embeddingLabel(each), ...(await verifyInStep(knex, each, { mark, signal })) })
    }
    return all
  })
  for (const { name, checked, wrong, stale, unknown, keys } of results) {
    print.line(
      `${wrong === 0 ? green('✓') : red('✗')} ${name}: ${checked} checked, ${wrong} wrong, ${stale} stale, ${unknown} unknown`,
    )
    if (keys.length > 0) print.line(`    ${keys.map((key) => key.join(', ')).join('; ')}`)
  }
  print.document(results)
  return results.some(({ wrong, stale }) => wrong + stale > 0) ? exitCode.found : exitCode.done
}

async function retry({ knex, print }: Context, _: Flags, chosen: readonly Embedding[]): Promise<number> {
  const results = []
  for (const each of chosen) results.push({ name: embeddingLabel(each), ...(await retryInStep(knex, each)) })
  for (const { name, retried } of results)
    print.line(`${green('✓')} ${name}: ${counted(retried, 'row')} will be tried again`)
  print.document(results)
  return exitCode.done
}
