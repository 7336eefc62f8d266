import { PgvectorMigrationError } from '../../core/errors.ts'
import type { LogOptions } from '../../core/options.ts'
import { identifier, literal, qualified } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'
import { lastLinesOfIndexes } from '../../log/migration-log.ts'
import { isEqual } from '../decide/equal.ts'
import type { CatalogFacts, ExistingIndex, TableFacts } from '../look/facts.ts'
import { readCatalogFacts } from '../look/read-facts.ts'
import { sameConditions } from '../look/same-conditions.ts'
import { countTenants } from './count.ts'
import type { SeenTenant } from './decide.ts'
import { isNameOfTenantIndex, tenantIndex, type TenantRule } from './rule.ts'

/** The tenants of a rule, and their indexes. */
export interface SeenTenants {
  readonly tenants: readonly SeenTenant[]
  /** Indexes with the name of a tenant's that no entry of the log explains, or that have another definition. */
  readonly unexplained: readonly ExistingIndex[]
}

/** Reads which tenants have an index of ours, and counts the rows of those that have one or are big enough. */
export async function readTenants(session: Session, rule: TenantRule, log: LogOptions | false): Promise<SeenTenants> {
  const facts = await readCatalogFacts(session, rule.index)
  const { table } = facts
  if (table === null) throw notFound(rule)
  await assertPossible(session, rule, table)
  const ours = await readOurs(session, rule, table, log)
  const rows = await countTenants(session, rule, table, [...ours.values()])
  for (const tenant of ours.values()) if (!rows.has(tenant)) rows.set(tenant, 0)
  return withIndexes(session, rule, { facts, table, ours, rows })
}

/** Reads which tenants have an index of ours, without counting. */
export async function readTenantsWithIndex(
  session: Session,
  rule: TenantRule,
  log: LogOptions | false,
): Promise<SeenTenants> {
  const facts = await readCatalogFacts(session, rule.index)
  const { table } = facts
  if (table === null) return { tenants: [], unexplained: [] }
  const ours = await readOurs(session, rule, table, log)
  const rows = new Map([...ours.values()].map((tenant) => [tenant, 0]))
  return withIndexes(session, rule, { facts, table, ours, rows })
}

interface Read {
  readonly facts: CatalogFacts
  readonly table: TableFacts
  /** The tenants by the names of the indexes that we built for them. */
  readonly ours: ReadonlyMap<string, string>
  readonly rows: ReadonlyMap<string, number>
}

async function withIndexes(
  session: Session,
  rule: TenantRule,
  { facts, table, ours, rows }: Read,
): Promise<SeenTenants> {
  const partial = facts.indexes.filter(({ condition }) => condition !== null)
  const tenants: SeenTenant[] = []
  const explained = new Set<ExistingIndex>()
  for (const [tenant, count] of rows) {
    const wanted = tenantIndex(rule, tenant)
    const conditions = await sameConditions(session, wanted, { table, indexes: partial })
    const equal = partial.filter((each) => isEqual(each, wanted, { ...facts, sameConditions: conditions }))
    for (const each of equal) explained.add(each)
    const isOurs = ({ name }: ExistingIndex): boolean => ours.get(name) === tenant
    const index = equal.find(({ isValid }) => isValid) ?? equal.find(isOurs) ?? equal[0]
    tenants.push({
      tenant,
      rows: count,
      index: index === undefined ? null : { name: index.name, isValid: index.isValid, isOurs: isOurs(index) },
    })
  }
  const unexplained = partial.filter((each) => !explained.has(each) && isNameOfTenantIndex(rule.index, each.name))
  return { tenants, unexplained }
}

/** Returns the tenants whose indexes we began or built, and did not drop, according to the log. */
async function readOurs(
  session: Session,
  { column }: TenantRule,
  { oid }: TableFacts,
  log: LogOptions | false,
): Promise<ReadonlyMap<string, string>> {
  if (log === false) return new Map()
  const lines = await lastLinesOfIndexes(session, log, ['index begun', 'index built', 'index dropped'], oid)
  const ours = new Map<string, string>()
  for (const { event, details } of lines) {
    const { index, tenant, tenantColumn } = details
    if (event === 'index dropped' || tenantColumn !== column) continue
    if (typeof index === 'string' && typeof tenant === 'string') ours.set(index, tenant)
  }
  return ours
}

/** Returns the details by which the log recognises the index of a tenant. */
export function detailsOfTenant({ column }: TenantRule, tenant: string): Readonly<Record<string, unknown>> {
  return { tenant, tenantColumn: column }
}

interface TenantColumn {
  readonly type: string
  readonly isPrintedOnce: boolean
}

const TYPES: ReadonlySet<string> = new Set(['int2', 'int4', 'int8', 'uuid', 'text', 'varchar'])

async function assertPossible(
  session: Session,
  rule: TenantRule,
  { oid, schema, name, kind, hidesRows }: TableFacts,
): Promise<void> {
  const table = qualified(schema, name)
  const column = await session.ask<TenantColumn | null>(columnSql(oid, rule.column))
  const label = `${identifier(name)}.${identifier(rule.column)}`
  if (column === null) throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: label, kind: 'column' })
  const problems = [
    ...(kind === 'ordinary' || kind === 'materialized view' ? [] : [kindProblems[kind]]),
    ...(TYPES.has(column.type) ? [] : [`its column ${identifier(rule.column)} is of type ${column.type}`]),
    ...(column.isPrintedOnce
      ? []
      : [`the collation of its column ${identifier(rule.column)} treats different texts as equal`]),
    ...(hidesRows ? ['row security hides rows from this role, or it may not read them'] : []),
  ]
  if (problems.length > 0) throw new PgvectorMigrationError('TENANT_INDEXES_NOT_POSSIBLE', { table, problems })
}

const kindProblems = {
  partitioned: 'it is partitioned',
  foreign: 'it is on a foreign server',
  other: 'it is not a table that PostgreSQL can index',
} as const satisfies Partial<Record<TableFacts['kind'], string>>

function columnSql(table: number, column: string): string {
  return `select (
      select json_build_object('type', b.typname, 'isPrintedOnce', coalesce(c.collisdeterministic, true))
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_type t on t.oid = a.atttypid
      join pg_catalog.pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
      left join pg_catalog.pg_collation c on c.oid = a.attcollation
      where a.attrelid = ${table} and a.attname = ${literal(column)} and a.attnum > 0 and not a.attisdropped
    ) as state`
}

function notFound({ index: { column } }: TenantRule): PgvectorMigrationError {
  const name = column.schema === null ? identifier(column.table) : qualified(column.schema, column.table)
  return new PgvectorMigrationError('RELATION_NOT_FOUND', { name, kind: 'table' })
}
