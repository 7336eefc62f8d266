import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { isShortEnough, NAME_BYTES } from '../core/names.ts'

/** A tenant: a schema, or a database of its own. */
export interface Tenant {
  /** The name in reports; unique in the fleet. */
  readonly name: string
  /** The schema that its migrations work in. It must exist. */
  readonly schema?: string | undefined
  /** Replaces the connection of the configuration, for a tenant with its own database. */
  readonly connection?: Knex.Config['connection'] | undefined
}

/** The tenants of a fleet: a list, or anything that can be iterated. */
export type Tenants = Iterable<Tenant> | AsyncIterable<Tenant>

/**
 * Reads and checks all tenants before anything runs.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export async function collectTenants(tenants: Tenants): Promise<readonly Tenant[]> {
  const all: Tenant[] = []
  for await (const tenant of tenants) all.push(tenant)
  const names = new Set<unknown>()
  const problems = all.flatMap((tenant, place) => {
    const problem = problemOf(tenant) ?? (names.has(tenant.name) ? 'is the name of two tenants' : null)
    names.add((tenant as Tenant | null)?.name)
    return problem === null ? [] : [`tenants: ${describe(tenant, place)} ${problem}`]
  })
  if (problems.length > 0) throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  return all
}

function describe(tenant: Tenant | null, place: number): string {
  return typeof tenant?.name === 'string' && tenant.name !== '' ? `"${tenant.name}"` : `number ${place + 1}`
}

function problemOf(tenant: Tenant | null): string | null {
  if (typeof tenant !== 'object' || tenant === null) return 'must be an object with a name'
  const { name, schema, connection } = tenant
  if (typeof name !== 'string' || name === '') return 'must have a name'
  if (schema === undefined) return connection === undefined ? 'must have a schema or a connection' : null
  return problemOfSchema(schema)
}

// PostgreSQL gives these names a meaning of their own in a search path, or keeps them for itself.
function problemOfSchema(schema: unknown): string | null {
  if (typeof schema !== 'string' || schema === '') return 'must have a schema that is a text'
  if (schema === '$user') return 'cannot be the schema $user, which stands for the name of the role in a search path'
  if (schema.startsWith('pg_') || schema === 'information_schema') return `cannot be the system schema ${schema}`
  if (schema.includes('\0')) return 'must have a schema without a zero byte'
  return isShortEnough(schema) ? null : `must have a schema of at most ${NAME_BYTES} bytes`
}
