import { PgvectorMigrationError } from '../../core/errors.ts'
import { ensureTenantIndexes, type TenantIndexesResult } from '../../indexes/tenants/ensure.ts'
import type { TenantIndex, TenantIndexesPlan } from '../../indexes/tenants/options.ts'
import { planTenantIndexes } from '../../indexes/tenants/plan.ts'
import type { TenantRule } from '../../indexes/tenants/rule.ts'
import type { Context } from '../context.ts'
import { declaredVectors } from '../declared-vectors.ts'
import { exitCode } from '../exit-code.ts'
import { showProgress } from '../output/build-progress.ts'
import { green, yellow } from '../output/colour.ts'
import { printable } from '../../core/printable.ts'
import { withSignals } from '../run-options.ts'

/** Flags of `index tenants`. */
export interface TenantFlags {
  readonly declared?: string
  readonly only?: readonly string[]
  readonly maxMemory?: string
  readonly workers?: number
  readonly wait: number
  readonly dryRun?: boolean
}

/** Builds the indexes of big tenants by the declared rules, and drops those that are no longer needed. */
export async function tenants(context: Context, flags: TenantFlags): Promise<number> {
  const rules = await chosenRules(flags)
  return flags.dryRun === true ? plan(context, rules) : ensure(context, rules, flags)
}

async function chosenRules({ declared, only }: TenantFlags): Promise<readonly TenantRule[]> {
  if (declared === undefined) throw invalid('--declared: name the module that exports the rules, made with tenantRule')
  const { tenants: rules } = await declaredVectors(declared)
  if (rules.length === 0) throw invalid(`--declared: ${declared} exports nothing that tenantRule returned`)
  const unknown = (only ?? []).filter((name) => !rules.some(({ index }) => index.name === name))
  if (unknown.length > 0) {
    const names = rules.map(({ index }) => index.name).join(', ')
    throw invalid(`--only: declared are the rules of ${names}, not of ${unknown.join(', ')}`)
  }
  return rules.filter(({ index }) => only === undefined || only.includes(index.name))
}

function invalid(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
}

async function plan({ knex, print }: Context, rules: readonly TenantRule[]): Promise<number> {
  const plans: (TenantIndexesPlan & { readonly rule: string })[] = []
  for (const rule of rules) {
    const found = await planTenantIndexes(knex, rule)
    for (const each of found.drop) print.line(`would drop ${describe(each)}`)
    for (const each of found.build) print.line(`would build ${describe(each)}`)
    for (const each of found.keep) print.line(`${green('✓')} ${describe(each)}`)
    for (const warning of found.warnings) print.line(`${yellow('⚠')} ${warning}`)
    if (found.build.length + found.drop.length === 0) print.line(`Nothing to do for ${rule.index.name}`)
    plans.push({ rule: rule.index.name, ...found })
  }
  print.document(plans)
  return plans.some(({ build, drop }) => build.length + drop.length > 0) ? exitCode.found : exitCode.done
}

async function ensure(
  { knex, print, isJson, isQuiet }: Context,
  rules: readonly TenantRule[],
  { maxMemory, workers, wait }: TenantFlags,
): Promise<number> {
  const results: (TenantIndexesResult & { readonly rule: string })[] = []
  for (const rule of rules) {
    const display = showProgress(print, isJson || isQuiet)
    const result = await withSignals((signal) =>
      ensureTenantIndexes(knex, rule, {
        maxMemory,
        workers,
        wait,
        signal,
        logger: false,
        onEvent: (event) => {
          switch (event.type) {
            case 'planned':
              return print.note(
                `${event.build.length} to build, ${event.drop.length} to drop, ${event.keep.length} to keep`,
              )
            case 'dropped':
              return print.line(`${green('✓')} dropped ${describe(event)}`)
            case 'built':
              display.close()
              return print.line(`${green('✓')} built ${describe(event)}, ${event.done} of ${event.total}`)
            case 'progress':
            case 'waiting':
            case 'warning':
              return display.onEvent(event)
          }
        },
      }),
    ).finally(() => display.close())
    for (const warning of result.warnings) print.line(`${yellow('⚠')} ${warning}`)
    if (result.built.length + result.dropped.length === 0) {
      print.line(`Nothing to do for ${rule.index.name}: ${result.kept.length} kept`)
    }
    results.push({ rule: rule.index.name, ...result })
  }
  print.document(results)
  return exitCode.done
}

function describe({ tenant, index, rows }: TenantIndex): string {
  return `${index} of ${printable(tenant)}: ${rows.toLocaleString('en')} rows`
}
