import type { IndexElem, IndexStmt, Node, ReindexObjectType, ReindexStmt } from 'libpg-query'

import { all, as, columnType, isSwitchedOn, nameFrom, relation, relations } from './ast.ts'
import { nothing, type MadeIndex, type Rebuild, type Statement } from './statement.ts'

/** Reads what an index statement creates. */
export function readIndex(statement: IndexStmt): Statement {
  const { relation: on, idxname: name = null, concurrent = false } = statement
  if (on === undefined) return nothing
  const table = relation(on)
  const made = { table, name }
  return {
    ...nothing,
    named: name === null ? null : { name, table },
    locks: concurrent ? [] : [table],
    concurrent: concurrent ? { what: 'CREATE INDEX', name } : null,
    ...readMethod(statement, made, on.inh !== true),
  }
}

function readMethod(
  statement: IndexStmt,
  made: Pick<MadeIndex, 'table' | 'name'>,
  isOnly: boolean,
): Partial<Statement> {
  const { accessMethod = 'btree', concurrent = false, if_not_exists: isConditional = false, unique } = statement
  const keys = all(statement.indexParams, 'IndexElem')
  if (accessMethod !== 'hnsw' && accessMethod !== 'ivfflat') {
    const columns = keys.flatMap(({ name }) => name ?? [])
    return { otherIndex: { ...made, method: accessMethod, isUnique: unique === true, columns } }
  }
  const [key] = keys
  if (key === undefined) return {}
  const parameters = all(statement.options, 'DefElem').flatMap(({ defname }) => defname ?? [])
  const flags = { isConcurrent: concurrent, isConditional, isOnly }
  return { index: { ...made, method: accessMethod, ...flags, parameters, ...readKey(key) } }
}

const rebuilt: Partial<Record<ReindexObjectType, Rebuild['what']>> = {
  REINDEX_OBJECT_INDEX: 'index',
  REINDEX_OBJECT_TABLE: 'table',
  REINDEX_OBJECT_SCHEMA: 'schema',
  REINDEX_OBJECT_DATABASE: 'database',
}

/** Reads what a REINDEX rebuilds. System indexes hold no vectors. */
export function readReindex({
  kind = 'REINDEX_OBJECT_SYSTEM',
  relation: of,
  name,
  params,
}: ReindexStmt): Partial<Statement> {
  if (isSwitchedOn(params, 'concurrently')) {
    const index = kind === 'REINDEX_OBJECT_INDEX' ? (of?.relname ?? null) : null
    return { concurrent: { what: 'REINDEX', name: index } }
  }
  const what = rebuilt[kind]
  if (what === undefined) return {}
  const locks = relations(of)
  const [named = what === 'schema' ? { schema: null, name: name ?? '' } : null] = locks
  return { locks, rebuild: { what, name: named } }
}

type Key = Pick<MadeIndex, 'column' | 'cast' | 'isPlain' | 'operatorClass'>

function readKey({ name, expr, opclass }: IndexElem): Key {
  const column = name ?? columnIn(expr)
  return {
    column,
    cast: columnType(as(expr, 'TypeCast')?.typeName),
    // A column in parentheses is still that column.
    isPlain: name !== undefined || as(expr, 'ColumnRef') !== undefined,
    operatorClass: opclass === undefined ? null : nameFrom(opclass).name,
  }
}

/** Returns the first column in an expression. */
function columnIn(expression: Node | undefined): string | null {
  const reference = as(expression, 'ColumnRef')
  if (reference !== undefined) return nameFrom(reference.fields).name
  const cast = as(expression, 'TypeCast')
  if (cast !== undefined) return columnIn(cast.arg)
  const args = as(expression, 'FuncCall')?.args ?? []
  for (const argument of args) {
    const column = columnIn(argument)
    if (column !== null) return column
  }
  return null
}
