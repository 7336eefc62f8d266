import type { Session } from '../database/session.ts'
import { identifier, literal } from '../core/sql.ts'
import { translate } from '../database/sqlstate.ts'
import type { Plan } from './assess.ts'
import { installedQuery, readInstalled, type InstalledAnswer } from './glance.ts'
import { remedies } from '../pgvector/providers.ts'
import type { InstalledExtension, PgvectorState } from './state.ts'

/** A plan that changes something. */
export type Change = Exclude<Plan, { readonly action: 'none' }>

/** Carries out a plan, and reads back the result in the same round trip. */
export async function execute(
  trx: Session,
  state: PgvectorState,
  plan: Change,
  statements: readonly string[] = statementsFor(plan),
): Promise<InstalledExtension> {
  try {
    const installed = await trx.sendAndAsk<InstalledAnswer | null>(statements, installedQuery)
    if (installed === null) throw new Error('create extension succeeded, yet pg_extension has no row for it')
    return readInstalled(installed)
  } catch (error) {
    throw translate(error, {
      statement: plan.action === 'create' ? 'CREATE EXTENSION' : 'ALTER EXTENSION',
      role: state.role.name,
      major: state.server.major,
      schema: plan.action === 'create' ? plan.schema : (state.installed?.schema ?? ''),
      installed: state.installed?.version ?? null,
      target: plan.version,
      hints: { notAvailable: remedies(state.provider).notAvailable, privilege: privilegeHint(state, plan) },
    })
  }
}

function privilegeHint({ owner, provider }: PgvectorState, plan: Change): string | undefined {
  if (plan.action === 'create' || owner === null) return remedies(provider).privilege
  return `It belongs to role "${owner.name}". As that role or a superuser: ALTER EXTENSION vector UPDATE;`
}

function statementsFor(plan: Change): string[] {
  if (plan.action === 'update') return [`alter extension vector update to ${literal(plan.version)}`]
  const schema = identifier(plan.schema)
  const version = plan.version === null ? '' : ` version ${literal(plan.version)}`
  return [
    ...(plan.createSchema ? [`create schema if not exists ${schema}`] : []),
    `create extension vector with schema ${schema}${version}`,
  ]
}
