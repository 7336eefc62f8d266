import type { DropOwnedStmt, DropStmt, Node, ObjectType, TruncateStmt } from 'libpg-query'

import { all, as, nameFrom, relation } from './ast.ts'
import type { RelationName, Statement } from './statement.ts'

// All others have the same name as in the parser.
const words: Partial<Record<ObjectType, string>> = {
  OBJECT_ACCESS_METHOD: 'access method',
  OBJECT_EVENT_TRIGGER: 'event trigger',
  OBJECT_FDW: 'foreign data wrapper',
  OBJECT_FOREIGN_SERVER: 'server',
  OBJECT_FOREIGN_TABLE: 'foreign table',
  OBJECT_MATVIEW: 'materialized view',
  OBJECT_OPCLASS: 'operator class',
  OBJECT_OPFAMILY: 'operator family',
  OBJECT_STATISTIC_EXT: 'statistics',
  OBJECT_TSCONFIGURATION: 'text search configuration',
  OBJECT_TSDICTIONARY: 'text search dictionary',
  OBJECT_TSPARSER: 'text search parser',
  OBJECT_TSTEMPLATE: 'text search template',
}

/** Reads what DROP drops, of any kind. */
export function readDrop(statement: DropStmt): Partial<Statement> {
  const { removeType = 'OBJECT_TABLE', objects, behavior, concurrent = false } = statement
  const what = words[removeType] ?? removeType.replace('OBJECT_', '').toLowerCase()
  const names = (objects ?? []).map((object) => objectName(object, removeType))
  const isLocking = !concurrent && ['table', 'index', 'materialized view'].includes(what)
  return {
    drops: [{ what, names, isCascade: behavior === 'DROP_CASCADE' }],
    locks: isLocking ? names : [],
    concurrent: concurrent ? { what: 'DROP INDEX', name: names[0]?.name ?? null } : null,
  }
}

export function readDropOwned({ roles, behavior }: DropOwnedStmt): Partial<Statement> {
  const names = all(roles, 'RoleSpec').map(({ rolename, roletype = '' }) => ({
    schema: null,
    name: rolename ?? roletype.replace('ROLESPEC_', '').toLowerCase(),
  }))
  return { drops: [{ what: 'owned by', names, isCascade: behavior === 'DROP_CASCADE' }] }
}

/** CASCADE empties all tables that refer to the named ones. */
export function readTruncate({ relations: emptied, behavior }: TruncateStmt): Partial<Statement> {
  const names = all(emptied, 'RangeVar').map(relation)
  return { locks: names, empties: names, drops: [{ what: 'rows', names, isCascade: behavior === 'DROP_CASCADE' }] }
}

/** Returns a name without its additions: arguments, the language of a transform, the method of an operator class. */
function objectName(node: Node, type: ObjectType): RelationName {
  const items = as(node, 'List')?.items ?? [node]
  const [first = node] = items
  const object = type === 'OBJECT_CAST' ? (items.at(-1) ?? node) : first
  const parts = as(object, 'ObjectWithArgs')?.objname ?? as(object, 'TypeName')?.names ?? items
  return nameFrom(type === 'OBJECT_OPCLASS' || type === 'OBJECT_OPFAMILY' ? parts.slice(1) : parts)
}
