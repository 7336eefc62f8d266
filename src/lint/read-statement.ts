import type { Node, RenameStmt, SelectStmt, VariableSetStmt, WithClause } from 'libpg-query'

import { all, as, nameFrom, relations, type Content, type NodeName } from './ast.ts'
import { clearedByDelete, clearedByUpdate } from './read-clearing.ts'
import { readDrop, readDropOwned, readTruncate } from './read-drop.ts'
import { readIndex, readReindex } from './read-index.ts'
import { readRoutine } from './read-routine.ts'
import { readAlterTable, readCreateTable } from './read-table.ts'
import { nothing, type RelationName, type Statement } from './statement.ts'

type Readers = { readonly [Name in NodeName]?: (content: Content<Name>, sql: string) => Partial<Statement> }

// A statement that is missing here takes no long lock, creates nothing with vectors, and drops nothing.
const readers: Readers = {
  IndexStmt: readIndex,
  CreateStmt: readCreateTable,
  AlterTableStmt: readAlterTable,
  CreateTableAsStmt: ({ into, if_not_exists: isConditional = false }) => ({
    makes: relations(into?.rel).map((table) => made(table, into?.skipData !== true, isConditional)),
  }),
  SelectStmt: readSelect,
  RenameStmt: readRename,
  AlterObjectSchemaStmt: ({ relation: moved, newschema = '' }) => ({
    changes: relations(moved).map((table) => ({ kind: 'move', table, to: newschema })),
    locks: relations(moved),
  }),
  DropStmt: readDrop,
  DropOwnedStmt: readDropOwned,
  TruncateStmt: readTruncate,
  CreateTrigStmt: ({ relation: table, constrrel }) => ({ locks: relations(table, constrrel) }),
  ClusterStmt: ({ relation: table }) => ({ locks: relations(table) }),
  RefreshMatViewStmt: ({ relation: table, concurrent }) => ({ locks: concurrent === true ? [] : relations(table) }),
  ReindexStmt: readReindex,
  InsertStmt: ({ relation: table, withClause }) => ({ fills: [...relations(table), ...writtenBy(withClause)] }),
  UpdateStmt: (content) => ({ fills: writtenBy(content.withClause), clears: clearedByUpdate(content) }),
  DeleteStmt: (content) => ({ fills: writtenBy(content.withClause), clears: clearedByDelete(content) }),
  MergeStmt: ({ relation: table, withClause }) => ({ fills: [...relations(table), ...writtenBy(withClause)] }),
  CopyStmt: ({ relation: table, is_from: isFrom }) => ({ fills: isFrom === true ? relations(table) : [] }),
  VariableSetStmt: readSetting,
  TransactionStmt: ({ kind }) => {
    if (kind === 'TRANS_STMT_BEGIN' || kind === 'TRANS_STMT_START') return { control: 'begin' }
    return { control: kind === 'TRANS_STMT_COMMIT' || kind === 'TRANS_STMT_ROLLBACK' ? 'end' : null }
  },
  CreateFunctionStmt: readRoutine,
  ViewStmt: (_content, sql) => ({ query: sql }),
  DoStmt: () => ({ isOpaque: true }),
}

/** Returns what a statement does, from its syntax tree. */
export function readStatement(node: Node, sql: string): Statement {
  const [entry] = Object.entries(node) as [NodeName, never][]
  if (entry === undefined) return nothing
  const [name, content] = entry
  return { ...nothing, ...readers[name]?.(content, sql) }
}

function made(table: RelationName, hasRows: boolean, isConditional = false): Statement['makes'][number] {
  return { table, columns: [], like: [], isConditional, hasRows, isPartitioned: false }
}

/** Returns the tables that the WITH parts of a query write to. */
function writtenBy(parts: WithClause | undefined): RelationName[] {
  const queries = all(parts?.ctes, 'CommonTableExpr').map(({ ctequery }) => ctequery)
  return queries.flatMap((query) => relations((as(query, 'InsertStmt') ?? as(query, 'MergeStmt'))?.relation))
}

function readSelect({ intoClause, targetList, withClause }: SelectStmt): Partial<Statement> {
  const makes = relations(intoClause?.rel).map((table) => made(table, true))
  const settings = all(targetList, 'ResTarget').flatMap(({ val }) => {
    const call = as(val, 'FuncCall')
    if (call === undefined || nameFrom(call.funcname).name !== 'set_config') return []
    const [name, value, isLocal] = all(call.args, 'A_Const')
    if (name?.sval?.sval?.toLowerCase() !== 'lock_timeout') return []
    return [{ isSet: isTime(value?.sval?.sval ?? '0'), isLocal: isLocal?.boolval?.boolval === true }]
  })
  return { makes, fills: writtenBy(withClause), lockTimeout: settings.at(-1) ?? null }
}

function readSetting({ kind, name, args, is_local: isLocal = false }: VariableSetStmt): Partial<Statement> {
  if (kind === 'VAR_RESET_ALL') return { lockTimeout: { isSet: false, isLocal: false } }
  if (name?.toLowerCase() !== 'lock_timeout') return {}
  const [value] = all(args, 'A_Const')
  const isSet =
    kind === 'VAR_SET_VALUE' && isTime(value?.sval?.sval ?? value?.fval?.fval ?? String(value?.ival?.ival ?? 0))
  return { lockTimeout: { isSet, isLocal } }
}

/** Whether a time is not zero, which means no limit. */
function isTime(text: string): boolean {
  return Number.parseFloat(text) !== 0
}

function readRename({ renameType, relation: renamed, subname = '', newname: to = '' }: RenameStmt): Partial<Statement> {
  const locks = relations(renamed)
  const [table] = locks
  if (table === undefined) return {}
  if (renameType === 'OBJECT_COLUMN') return { locks, changes: [{ kind: 'rename column', table, column: subname, to }] }
  if (renameType === 'OBJECT_TABLE') return { locks, changes: [{ kind: 'rename', table, to }] }
  // Renaming an index does not block access to its table.
  if (renameType === 'OBJECT_INDEX') return { changes: [{ kind: 'rename', table, to }] }
  return { locks }
}
