import type { ParsedEnsureOptions } from '../core/options.ts'
import type { Session } from '../database/session.ts'
import { assess, type Plan } from './assess.ts'
import { execute, type Change } from './execute.ts'
import { readState } from './inspect.ts'
import { appendToLog, logWarning } from '../log/migration-log.ts'
import { resultOf, type EnsureResult } from './result.ts'
import type { Glance, PgvectorState } from './state.ts'
import { planStorage } from '../pgvector/storage.ts'
import { verifyIn } from './verify.ts'
import { schemaWarnings } from './warnings.ts'

/** Reads everything, and decides what to do. Throws the first reason not to. */
export async function look(
  session: Session,
  needs: ParsedEnsureOptions,
  fresh?: Glance,
): Promise<{ state: PgvectorState; plan: Plan }> {
  const state = await readState(
    session,
    { schema: needs.schema, log: needs.log === false ? undefined : needs.log },
    needs.minVersion,
    fresh,
  )
  const { errors, plan } = assess(state, needs)
  const [first] = errors
  if (first !== undefined) throw first
  return { state, plan }
}

/** Carries out a plan in its transaction, logs it, and verifies the result. */
export async function carryOut(
  trx: Session,
  needs: ParsedEnsureOptions,
  state: PgvectorState,
  plan: Change,
  statements?: readonly string[],
): Promise<EnsureResult> {
  const started = performance.now()
  const installed = await execute(trx, state, plan, statements)
  const warnings = plan.action === 'create' ? schemaWarnings(installed.schema, needs) : []
  const noted =
    needs.log === false
      ? []
      : appendToLog(state.log, {
          event: plan.action === 'create' ? 'enabled' : 'updated',
          versionBefore: state.installed?.version ?? null,
          versionAfter: installed.version,
          schema: installed.schema,
          server: state.server.version,
          provider: state.provider,
          extensionOid: installed.oid,
          dimensions: planStorage(needs.dimensions, installed.version),
          durationMilliseconds: performance.now() - started,
          details: { minVersion: needs.minVersion },
        })
  await verifyIn(trx, installed.schema, installed.version, noted)
  const unwritten = needs.log === false ? null : logWarning(state.log)
  if (unwritten !== null) warnings.push(unwritten)
  return resultOf({ ...state, installed }, needs, plan.action === 'create' ? 'created' : 'updated', warnings)
}
