import { unquoted } from '../core/sql.ts'
import type { Count } from '../migrator/losses/count.ts'
import { losses, type Losses } from '../migrator/losses/losses.ts'
import type { DownSelection } from '../migrator/select.ts'
import { askTenants } from './ask-tenants.ts'
import type { Opening } from './open-tenant.ts'
import type { FailedTenant } from './report.ts'
import type { ResolvedTenant, UnresolvedTenant } from './resolve.ts'

/** What rolling back would lose, in all tenants together. Nothing was changed. */
export interface FleetLosses {
  /** The migrations that would be rolled back, and in how many tenants. */
  readonly migrations: readonly { readonly name: string; readonly tenants: number }[]
  /** Tables and columns by their names without schema, with the rows or values of all tenants. */
  readonly tables: readonly FleetLoss[]
  readonly columns: readonly (FleetLoss & { readonly column: string; readonly isVector: boolean })[]
  /** Tenants for which this could not be determined. */
  readonly failed: readonly FailedTenant[]
  readonly warnings: readonly { readonly tenant: string; readonly message: string }[]
}

/** A table or column that would be lost in several tenants. */
export interface FleetLoss {
  readonly table: string
  readonly tenants: number
  /** Null if no tenant's number is known. */
  readonly rows: number | null
  /** Whether a part of the number comes from statistics, or is unknown. */
  readonly isEstimate: boolean
}

/** Determines the losses of each tenant, several at once, and adds them up. */
export async function sumLosses(
  tenants: readonly (ResolvedTenant | UnresolvedTenant)[],
  opening: Opening,
  selection: DownSelection,
  concurrency: number,
): Promise<FleetLosses> {
  const { signal } = opening
  const { answers, failed } = await askTenants(tenants, opening, concurrency, (session, settings) =>
    losses(session, settings, { ...selection, signal }),
  )
  const found = answers.map(({ tenant: { name, schema }, answer }) => ({ tenant: name, schema, losses: answer }))
  return { ...summed(found), failed }
}

interface Found {
  readonly tenant: string
  readonly schema: string | null
  readonly losses: Losses
}

function summed(found: readonly Found[]): Omit<FleetLosses, 'failed'> {
  const migrations = new Map<string, number>()
  const tables = new Map<string, FleetLoss>()
  const columns = new Map<string, FleetLosses['columns'][number]>()
  for (const { schema, losses: lost } of found) {
    for (const { name } of lost.migrations) migrations.set(name, (migrations.get(name) ?? 0) + 1)
    for (const each of lost.tables) {
      const table = nameIn(schema, each.table)
      tables.set(table, { table, ...add(tables.get(table), each) })
    }
    for (const each of lost.columns) {
      const { column, isVector } = each
      const table = nameIn(schema, each.table)
      const key = JSON.stringify([table, column])
      columns.set(key, { table, column, isVector, ...add(columns.get(key), each) })
    }
  }
  return {
    migrations: Array.from(migrations, ([name, count]) => ({ name, tenants: count })),
    tables: [...tables.values()],
    columns: [...columns.values()],
    warnings: found.flatMap(({ tenant, losses: { warnings } }) => warnings.map((message) => ({ tenant, message }))),
  }
}

function add(sum: FleetLoss | undefined, { rows, isEstimate }: Count): Omit<FleetLoss, 'table'> {
  const known = [sum?.rows, rows].filter((each) => each !== undefined && each !== null)
  return {
    tenants: (sum?.tenants ?? 0) + 1,
    rows: known.length === 0 ? null : known.reduce((total, each) => total + each, 0),
    isEstimate: isEstimate || rows === null || sum?.isEstimate === true,
  }
}

// The same table has the same name in every tenant. One outside their schemas keeps its schema.
function nameIn(schema: string | null, printed: string): string {
  const [whole = '', prefix = ''] = /^("(?:[^"]|"")*"|[^."]+)[.]/.exec(printed) ?? []
  return schema !== null && unquoted(prefix) === schema ? printed.slice(whole.length) : printed
}
