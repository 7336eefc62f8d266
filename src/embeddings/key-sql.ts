import { identifier, literal, sendable } from '../core/sql.ts'
import type { KeyColumn } from './table-facts.ts'

/** The key of a row: the values of its columns, as text. */
export type Key = readonly string[]

/** A key as one text, to compare it in this process. */
export function keyText(key: Key): string {
  return JSON.stringify(key)
}

// The operators of a key are qualified, because a type of an extension has them in the extension's schema.
function operatorOf(column: KeyColumn | undefined, operator: '=' | '>'): string {
  return `operator(${identifier(column?.operators ?? 'pg_catalog')}.${operator})`
}

/** The columns of a key in a list of keys or in a side table: key_1, key_2, … */
export function keyNames(key: readonly KeyColumn[], alias?: string): readonly string[] {
  return key.map((_, place) => `${alias === undefined ? '' : `${alias}.`}key_${place + 1}`)
}

/** The columns of a key in the table itself, qualified with the table's alias. */
export function keyColumns(key: readonly KeyColumn[], alias: string): readonly string[] {
  return key.map(({ name }) => `${alias}.${identifier(name)}`)
}

/** SQL: whether two lists of expressions are the same key. */
export function isSameKey(key: readonly KeyColumn[], left: readonly string[], right: readonly string[]): string {
  return key.map((column, place) => `${left[place]} ${operatorOf(column, '=')} ${right[place]}`).join(' and ')
}

/** SQL: whether a row comes after a key, in the order of the key. */
export function isAfterKey(key: readonly KeyColumn[], left: readonly string[], after: Key): string {
  const right = after.map((value, place) => `${literal(value)}::${sendable(key[place]?.type ?? '')}`)
  const [first, ...others] = key.map(({ operators }) => operators)
  // Compares the key as one row if possible, because an index scan can then start at it.
  if (first !== undefined && others.every((each) => each === first)) {
    return `(${left.join(', ')}) operator(${identifier(first)}.>) (${right.join(', ')})`
  }
  const each = key.map((column, place) => {
    const isEqual = left
      .slice(0, place)
      .map((name, before) => `${name} ${operatorOf(key[before], '=')} ${right[before]}`)
    return [...isEqual, `${left[place]} ${operatorOf(column, '>')} ${right[place]}`].join(' and ')
  })
  return `(${each.join(' or ')})`
}

/** SQL: a key as a json array of texts. */
export function keyAsJson(expressions: readonly string[]): string {
  return `pg_catalog.json_build_array(${expressions.map((each) => `${each}::pg_catalog.text`).join(', ')})`
}

/** Keys as the parameters of a statement. */
export interface KeyParameters {
  /** The arrays for FROM, one a column, from the parameter with this number on. */
  readonly arrays: readonly string[]
  readonly values: readonly (readonly string[])[]
}

/** Returns keys as arrays, one for each column, so that one statement serves any number of rows. */
export function keyParameters(key: readonly KeyColumn[], keys: readonly Key[], first = 1): KeyParameters {
  return {
    arrays: key.map(({ type }, place) => `pg_catalog.unnest($${first + place}::${sendable(type)}[])`),
    values: key.map((_, place) => keys.map((each) => each[place] ?? '')),
  }
}
