import type { Node, RangeVar, TypeName } from 'libpg-query'

import { typeLimits, type VectorType } from '../pgvector/vector-types.ts'
import type { ColumnType, RelationName } from './statement.ts'

type NameOf<Each> = Each extends unknown ? keyof Each & string : never

/** The node types of PostgreSQL's parser. */
export type NodeName = NameOf<Node>

/** The content of a node of this type. */
export type Content<Name extends NodeName> = Extract<Node, Record<Name, unknown>>[Name]

/** Returns the content of a node if it has this type. */
export function as<Name extends NodeName>(node: Node | undefined, name: Name): Content<Name> | undefined {
  return (node as Partial<Record<Name, Content<Name>>> | undefined)?.[name]
}

/** Returns the content of all nodes of this type. */
export function all<Name extends NodeName>(nodes: readonly Node[] | undefined, name: Name): Content<Name>[] {
  return (nodes ?? []).flatMap((node) => as(node, name) ?? [])
}

/** Reads a qualified name as its last part and the one before it. */
export function nameFrom(parts: readonly Node[] | undefined): RelationName {
  const texts = all(parts, 'String').map(({ sval = '' }) => sval)
  return { schema: texts.at(-2) ?? null, name: texts.at(-1) ?? '' }
}

export function relation({ schemaname, relname = '' }: RangeVar): RelationName {
  return { schema: schemaname ?? null, name: relname }
}

/** Returns the names of the relations that are given. */
export function relations(...given: readonly (RangeVar | undefined)[]): RelationName[] {
  return given.flatMap((each) => (each === undefined ? [] : [relation(each)]))
}

/** Whether an option in parentheses is present and not switched off. */
export function isSwitchedOn(options: readonly Node[] | undefined, option: string): boolean {
  const given = all(options, 'DefElem').findLast(({ defname }) => defname === option)
  if (given === undefined) return false
  if (given.arg === undefined) return true
  const value = as(given.arg, 'String')?.sval ?? String(as(given.arg, 'Integer')?.ival ?? 0)
  return !/^(false|off|0)$/i.test(value)
}

/** Returns the type of a column that can hold vectors. An array of vectors cannot be searched. */
export function columnType(typeName: TypeName | undefined): ColumnType | null {
  if (typeName === undefined || (typeName.arrayBounds ?? []).length > 0) return null
  const { name } = nameFrom(typeName.names)
  // varbit has a variable length, whatever its limit.
  if (name === 'varbit') return { type: 'bit', dimensions: null }
  if (!isVectorType(name)) return null
  const length = all(typeName.typmods, 'A_Const')[0]?.ival
  return { type: name, dimensions: length === undefined ? null : (length.ival ?? 0) }
}

export function isVectorType(name: string): name is VectorType {
  return Object.hasOwn(typeLimits, name)
}
