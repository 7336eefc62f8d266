import type { Session } from '../database/session.ts'
import { doubtfulSql, readDistrust, type Distrust } from '../database/table-trust.ts'
import { trackingTable, type MigrationTables } from '../migrator/settings.ts'
import { neededPrivileges } from '../migrator/tracking.ts'

/** Whether a table of the runner exists, and whether this role has all the privileges on it that a run needs. */
interface TableRight {
  readonly exists: boolean
  readonly isWritable: boolean
}

export type TableRights = Readonly<Record<keyof MigrationTables, TableRight>> & {
  /** The sequence that numbers the rows of Knex's table; null if it does not exist. */
  readonly sequence: { readonly name: string; readonly isUsable: boolean } | null
  /** The tables that another role controls. */
  readonly distrusted: readonly Distrust[]
}

export async function readTableRights(session: Session, tables: MigrationTables): Promise<TableRights> {
  const rights = (Object.keys(neededPrivileges) as (keyof MigrationTables)[]).map((name) => {
    const table = trackingTable(tables[name])
    const isAllowed = neededPrivileges[name].map((privilege) => `has_table_privilege(${table}, '${privilege}')`)
    return `'${name}', json_build_object('exists', ${table} is not null,
      'isWritable', coalesce(${isAllowed.join(' and ')}, false))`
  })
  const { doubtful, ...seen } = await session.ask<
    Omit<TableRights, 'distrusted'> & { readonly doubtful: readonly number[] }
  >(`select json_build_object(${rights.join(', ')}, 'doubtful', ${doubtfulSql(Object.values(tables).map(trackingTable))}, 'sequence', (
      select json_build_object('name', s.oid::regclass::text, 'isUsable', has_sequence_privilege(s.oid, 'usage'))
      from pg_catalog.pg_class s
      join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass and d.objid = s.oid and d.deptype = 'a'
      where s.relkind = 'S' and d.refobjid = ${trackingTable(tables.migrations)}
    )) as state`)
  return { ...seen, distrusted: await readDistrust(session, doubtful) }
}
