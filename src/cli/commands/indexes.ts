import { setTimeout as sleep } from 'node:timers/promises'

import { green, red, yellow } from '../output/colour.ts'

import { PgvectorMigrationError } from '../../core/errors.ts'
import { createVectorIndex, type CreateIndexResult } from '../../indexes/build/create-vector-index.ts'
import { forecastBuild, type BuildForecast } from '../../indexes/forecast/forecast-build.ts'
import type { ForecastOptions } from '../../indexes/forecast/options.ts'
import { planVectorIndex } from '../../indexes/plan-vector-index.ts'
import type { VectorIndex } from '../../indexes/vector-index.ts'
import { listVectorIndexes, type ListedIndex } from '../../indexes/list.ts'
import { repairVectorIndexes } from '../../indexes/repair.ts'
import { listIndexBuilds, type IndexBuild } from '../../indexes/list-builds.ts'
import { remaining, showProgress } from '../output/build-progress.ts'
import { describeForecasts, forecastLine } from '../output/forecast.ts'
import type { Context } from '../context.ts'
import { declaredVectors } from '../declared-vectors.ts'
import { exitCode } from '../exit-code.ts'
import { withSignals } from '../run-options.ts'
import { sizeText } from '../../core/sizes.ts'
import { table } from '../output/table.ts'
import { tenants, type TenantFlags } from './index-tenants.ts'

interface Flags extends TenantFlags {
  readonly schema?: string
  readonly follow?: boolean
  readonly dryRun?: boolean
}

const actions = { list, build, tenants, progress, repair } as const

/** Lists, builds and repairs vector indexes. */
export async function run(context: Context, flags: Flags, action: string): Promise<number> {
  if (!isAction(action)) {
    const problems = [`action: must be one of ${Object.keys(actions).join(', ')}, not ${action}`]
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  return actions[action](context, flags)
}

function isAction(action: string): action is keyof typeof actions {
  return Object.hasOwn(actions, action)
}

async function list({ knex, print }: Context, { schema }: Flags): Promise<number> {
  const indexes = await listVectorIndexes(knex, { schema })
  print.document(indexes)
  if (indexes.length === 0) {
    print.line('There is no index on vectors here')
    return exitCode.done
  }
  print.line(table(['', 'index', 'table', 'method', 'size', 'in memory', 'scans', 'rebuild needs'], indexes.map(rowOf)))
  const broken = indexes.filter(({ isValid, isInWork }) => !isValid && !isInWork)
  print.line()
  for (const { definition } of indexes) print.line(definition)
  if (broken.length === 0) return exitCode.done
  print.line()
  print.line(`Not valid: ${broken.map(({ name }) => name).join(', ')}. To repair them: npx knex-pgvector index repair`)
  return exitCode.found
}

function rowOf(index: ListedIndex): string[] {
  const { name, method, bytes, isPartitioned, isInMemory, scans, buildMemory, isQuickToRebuild } = index
  const memory =
    buildMemory === null ? '' : `${sizeText(buildMemory)}${isQuickToRebuild === true ? '' : ', more than there is'}`
  return [
    stateOf(index),
    name,
    index.table,
    method,
    isPartitioned ? '' : sizeText(bytes),
    isPartitioned ? '' : isInMemory ? 'fits' : 'does not fit',
    isPartitioned ? '' : scans.toLocaleString('en'),
    memory,
  ]
}

function stateOf({ isValid, isInWork }: ListedIndex): string {
  if (isValid) return green('✓')
  return isInWork ? yellow('…') : red('✗')
}

async function build({ knex, print, isJson, isQuiet }: Context, flags: Flags): Promise<number> {
  if (flags.declared === undefined) {
    const problems = ['--declared: name the module that exports the indexes, made with vectorIndex']
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  const { indexes } = await declaredVectors(flags.declared)
  const chosen = indexes.filter(({ name }) => flags.only === undefined || flags.only.includes(name))
  const unknown = (flags.only ?? []).filter((name) => !indexes.some((index) => index.name === name))
  if (unknown.length > 0) {
    const problems = [`--only: declared are ${indexes.map(({ name }) => name).join(', ')}, not ${unknown.join(', ')}`]
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  const results: CreateIndexResult[] = []
  const { maxMemory, workers, wait } = flags
  if (flags.dryRun === true) return forecast({ knex, print }, chosen, { maxMemory, workers })
  for (const index of chosen) {
    await announce({ knex, print }, index, { maxMemory, workers })
    const display = showProgress(print, isJson || isQuiet)
    const result = await withSignals((signal) =>
      createVectorIndex(knex, index, { maxMemory, workers, wait, signal, onEvent: display.onEvent, logger: false }),
    ).finally(() => display.close())
    print.line(`${green('✓')} ${result.name ?? index.name}: ${said(result)}`)
    results.push(result)
  }
  print.document(results)
  return exitCode.done
}

/** Shows what each build would take, and builds nothing. */
async function forecast(
  { knex, print }: Pick<Context, 'knex' | 'print'>,
  indexes: readonly VectorIndex[],
  options: ForecastOptions,
): Promise<number> {
  const forecasts: BuildForecast[] = []
  for (const index of indexes) forecasts.push(await forecastBuild(knex, index, options))
  print.line(describeForecasts(forecasts))
  print.document(forecasts)
  return exitCode.done
}

// With fewer rows, a build is done before its forecast has been read.
const LONG = 100_000

/** Prints one line before a long build. */
async function announce(
  { knex, print }: Pick<Context, 'knex' | 'print'>,
  index: VectorIndex,
  options: ForecastOptions,
): Promise<void> {
  const plan = await planVectorIndex(knex, index, { ...options, whenEmpty: 'postpone' })
  const isLong = plan.action === 'build partitions' || (plan.action === 'build' && plan.rows >= LONG)
  if (isLong) print.note(forecastLine(await forecastBuild(knex, index, options)))
}

function said({ status, milliseconds }: CreateIndexResult): string {
  if (status === 'built') return `built in ${(milliseconds / 1000).toFixed(1)} s`
  return status === 'kept' ? 'was there' : 'postponed: there are no rows'
}

const FOLLOW_MILLISECONDS = 2000

async function progress({ knex, print }: Context, { follow }: Flags): Promise<number> {
  return withSignals(async (signal) => {
    for (;;) {
      const builds = await listIndexBuilds(knex)
      if (builds.length === 0) print.line('No index is being built')
      for (const running of builds) print.line(describe(running))
      if (follow !== true || builds.length === 0 || signal.aborted) {
        print.document(builds)
        return exitCode.done
      }
      await sleep(FOLLOW_MILLISECONDS, undefined, { signal }).catch(() => undefined)
    }
  })
}

function describe(running: IndexBuild): string {
  const { index, table: name, phase, percent, processId, blockers } = running
  const what = `${index ?? 'an index'} on ${name ?? 'a table that this role may not see'}`
  const far = `${phase === '' ? 'under way' : phase}${percent === null ? '' : ` ${percent} %`}`
  const waits = blockers.length === 0 ? '' : `, waits for process ${blockers.join(', ')}`
  return [`${what}: ${far}`, remaining(running), `process ${processId}${waits}`]
    .filter((text) => text !== '')
    .join('  ')
}

async function repair({ knex, print }: Context, { wait }: Flags): Promise<number> {
  const logger = { info: print.note, warn: print.note }
  const result = await withSignals((signal) => repairVectorIndexes(knex, { logger, wait, signal }))
  for (const name of result.rebuilt) print.line(`${green('✓')} ${name}: rebuilt`)
  for (const name of result.dropped) print.line(`${green('✓')} ${name}: dropped, a REINDEX had left it`)
  for (const { name, reason } of result.left) print.line(`${yellow('⚠')} ${name}: ${reason}`)
  if (result.rebuilt.length + result.dropped.length + result.left.length === 0) print.line('Every index is valid')
  print.document(result)
  return result.left.length > 0 ? exitCode.found : exitCode.done
}
