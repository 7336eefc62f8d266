import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { databasesLike, schemasLike } from '../fleet/enumerate.ts'
import type { Tenant, Tenants } from '../fleet/tenants.ts'
import { loadModule } from './load-module.ts'
import { yellow } from './output/colour.ts'
import type { Printer } from './output/printer.ts'

/** The flags that choose the tenants of a fleet. */
export interface TenantFlags {
  readonly schemas?: string
  readonly databases?: string
  readonly tenants?: string
}

/** Returns the tenants that the flags choose. If there are none, which is often a misspelt pattern, it prints a note. */
export async function tenantsFrom(knex: Knex, flags: TenantFlags, print: Printer): Promise<Tenants> {
  const tenants = await chosenTenants(knex, flags)
  const flag = flags.schemas !== undefined ? '--schemas' : flags.databases !== undefined ? '--databases' : '--tenants'
  const source = flags.schemas ?? flags.databases ?? flags.tenants ?? ''
  return { [Symbol.asyncIterator]: () => notingNone(tenants, `${flag} ${source}`, print) }
}

async function* notingNone(tenants: Tenants, source: string, print: Printer): AsyncGenerator<Tenant> {
  let isEmpty = true
  for await (const tenant of tenants) {
    isEmpty = false
    yield tenant
  }
  if (isEmpty) print.note(yellow(`⚠ There are no tenants: check ${source}`))
}

async function chosenTenants(knex: Knex, { schemas, databases, tenants }: TenantFlags): Promise<Tenants> {
  if (schemas !== undefined) return schemasLike(knex, schemas)
  if (databases !== undefined) return databasesLike(knex, databases)
  if (tenants !== undefined) return exportedTenants(knex, tenants)
  throw invalid("tenants: choose them with --schemas 'tenant_%', --databases 'app_%' or --tenants tenants.ts")
}

async function exportedTenants(knex: Knex, path: string): Promise<Tenants> {
  const module = await loadModule('--tenants', path)
  const exported = module['tenants'] ?? module['default'] ?? module
  const tenants: unknown = typeof exported === 'function' ? await (exported as (knex: Knex) => unknown)(knex) : exported
  if (
    typeof tenants === 'object' &&
    tenants !== null &&
    (Symbol.iterator in tenants || Symbol.asyncIterator in tenants)
  )
    return tenants as Tenants
  throw invalid(`--tenants: ${path} must export \`tenants\`, a list or a function that returns one`)
}

function invalid(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
}
