import type { AlterTableCmd, AlterTableStmt, AlterTableType, ColumnDef, CreateStmt, Node } from 'libpg-query'

import { all, as, columnType, nameFrom, relation, relations } from './ast.ts'
import { nothing, type Column, type Drop, type RelationName, type Statement, type TableChange } from './statement.ts'

/** Reads the definition of a new table. */
export function readCreateTable(statement: CreateStmt): Statement {
  const { relation: made, tableElts, inhRelations, constraints, if_not_exists: isConditional = false } = statement
  if (made === undefined) return nothing
  const definitions = all(tableElts, 'ColumnDef')
  const parents = all(inhRelations, 'RangeVar').map(relation)
  return {
    ...nothing,
    makes: [
      {
        table: relation(made),
        columns: definitions.map(columnOf),
        like: [...parents, ...all(tableElts, 'TableLikeClause').flatMap((like) => relations(like.relation))],
        isConditional,
        hasRows: false,
        isPartitioned: statement.partspec !== undefined,
      },
    ],
    // A referenced table gets triggers, and a partition changes the structure of its parent.
    locks: [
      ...(statement.partbound === undefined ? [] : parents),
      ...referredTo([...(tableElts ?? []), ...(constraints ?? [])]),
      ...definitions.flatMap((column) => referredTo(column.constraints)),
    ],
  }
}

function columnOf({ colname = '', typeName }: ColumnDef): Column {
  return { name: colname, type: columnType(typeName) }
}

function referredTo(constraints: readonly Node[] | undefined): RelationName[] {
  return all(constraints, 'Constraint').flatMap(({ pktable }) => relations(pktable))
}

// These allow other sessions to read and write (PostgreSQL's documentation of ALTER TABLE).
const gentle: ReadonlySet<AlterTableType | undefined> = new Set([
  'AT_SetStatistics',
  'AT_SetOptions',
  'AT_ResetOptions',
  'AT_ClusterOn',
  'AT_DropCluster',
  'AT_SetRelOptions',
  'AT_ResetRelOptions',
  'AT_ValidateConstraint',
  'AT_AttachPartition',
  'AT_DetachPartitionFinalize',
])

const tables = new Set<string | undefined>(['OBJECT_TABLE', 'OBJECT_FOREIGN_TABLE', 'OBJECT_MATVIEW'])

/** Reads what happens to a table. */
export function readAlterTable({ relation: altered, cmds, objtype }: AlterTableStmt): Statement {
  const commands = all(cmds, 'AlterTableCmd')
  // Tables can be based on a composite type, and lose the attributes that it loses.
  if (objtype === 'OBJECT_TYPE')
    return { ...nothing, drops: commands.flatMap((command) => dropOf(command, 'attribute')) }
  if (altered === undefined || !tables.has(objtype)) return nothing
  const table = relation(altered)
  return {
    ...nothing,
    changes: commands.flatMap((command) => changeOf(table, command)),
    drops: commands.flatMap((command) => dropOf(command, 'column')),
    locks: [
      ...(commands.some((command) => !isGentle(command)) ? [table] : []),
      ...commands.flatMap(({ def }) => [
        ...referredTo(def === undefined ? [] : [def, ...(as(def, 'ColumnDef')?.constraints ?? [])]),
        ...attachedIn(def),
      ]),
    ],
  }
}

function isGentle({ subtype, def }: AlterTableCmd): boolean {
  return gentle.has(subtype) || (subtype === 'AT_DetachPartition' && as(def, 'PartitionCmd')?.concurrent === true)
}

// Detaching a partition concurrently does not block its readers and writers.
function attachedIn(definition: Node | undefined): RelationName[] {
  const partition = as(definition, 'PartitionCmd')
  return partition?.concurrent === true ? [] : relations(partition?.name)
}

function changeOf(table: RelationName, { subtype, name = '', def }: AlterTableCmd): TableChange[] {
  const definition = as(def, 'ColumnDef')
  if (subtype === 'AT_DropColumn') return [{ kind: 'drop column', table, column: name }]
  if (definition === undefined) return []
  if (subtype === 'AT_AddColumn') {
    return [{ kind: 'column', table, column: columnOf(definition), isNew: true, isComputed: false }]
  }
  if (subtype !== 'AT_AlterColumnType') return []
  const column = { ...columnOf(definition), name }
  return [{ kind: 'column', table, column, isNew: false, isComputed: isComputed(column, definition) }]
}

// A USING that only names the column, or casts it to its new type, has the same effect as none.
function isComputed({ name, type }: Column, { raw_default: expression }: ColumnDef): boolean {
  if (expression === undefined) return false
  const cast = as(expression, 'TypeCast')
  const to = columnType(cast?.typeName)
  if (cast !== undefined && (to?.type !== type?.type || to?.dimensions !== type?.dimensions)) return true
  const fields = as(cast?.arg ?? expression, 'ColumnRef')?.fields
  return fields === undefined || nameFrom(fields).name !== name
}

function dropOf({ subtype, name = '', behavior }: AlterTableCmd, part: string): Drop[] {
  const what = subtype === 'AT_DropConstraint' ? 'constraint' : part
  if (subtype !== 'AT_DropColumn' && subtype !== 'AT_DropConstraint') return []
  return [{ what, names: [{ schema: null, name }], isCascade: behavior === 'DROP_CASCADE' }]
}
