import type { Session } from '../database/session.ts'
import { assertPlaced, placing } from '../migrator/place.ts'
import type { MigrationSettings } from '../migrator/settings.ts'
import { withTenant, type Opening } from './open-tenant.ts'
import { failureOf, type FailedTenant } from './report.ts'
import type { ResolvedTenant, UnresolvedTenant } from './resolve.ts'

/** The answers of tenants, in the order of the fleet. */
export interface Answers<Answer> {
  readonly answers: readonly { readonly tenant: ResolvedTenant; readonly answer: Answer }[]
  /** Tenants that could not answer. */
  readonly failed: readonly FailedTenant[]
}

/** Asks every tenant the same, several at once. */
export async function askTenants<Answer>(
  tenants: readonly (ResolvedTenant | UnresolvedTenant)[],
  opening: Opening,
  concurrency: number,
  ask: (session: Session, settings: MigrationSettings, tenant: ResolvedTenant) => Promise<Answer>,
): Promise<Answers<Answer>> {
  const results: ({ tenant: ResolvedTenant; answer: Answer } | FailedTenant | undefined)[] = tenants.map(
    () => undefined,
  )
  const queue = [...tenants.entries()]
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [place, tenant] = next
      try {
        opening.signal?.throwIfAborted()
        if ('problem' in tenant) throw tenant.problem
        const answer = await withTenant(tenant, opening, (session, settings) => ask(session, settings, tenant))
        results[place] = { tenant, answer }
      } catch (error) {
        results[place] = failureOf(tenant.name, error)
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return {
    answers: results.flatMap((each) => (each !== undefined && 'answer' in each ? each : [])),
    failed: results.flatMap((each) => (each !== undefined && 'message' in each ? each : [])),
  }
}

/**
 * Reads in the schema of a tenant, in a transaction that only reads and whose search path leads there.
 *
 * @throws {PgvectorMigrationError} SCHEMA_NOT_FOUND
 */
export async function readInPlace<Answer>(
  session: Session,
  { place }: MigrationSettings,
  read: (session: Session) => Promise<Answer>,
): Promise<Answer> {
  if (place === null) return read(session)
  let schema: unknown
  const onBegin = (answers: readonly { readonly rows: readonly Readonly<Record<string, unknown>>[] }[]): void => {
    schema = answers.at(-1)?.rows[0]?.['schema']
  }
  return session.transaction(
    async (trx) => {
      assertPlaced(place, schema)
      return read(trx)
    },
    { readOnly: true, begin: placing(place, true), onBegin },
  )
}
