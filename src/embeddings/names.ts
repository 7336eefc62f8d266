import { isShortEnough, shortHash } from '../core/names.ts'
import { qualified } from '../core/sql.ts'

/** The names of the objects that keep a column in step. All of them are in the schema of its table. */
export interface SideNames {
  readonly marks: string
  readonly marksIndex: string
  readonly claims: string
  readonly function: string
  readonly trigger: string
  readonly missingIndex: string
  /** The column for the hash of what a vector was made of. */
  readonly hash: string
}

/** Returns the names for a column of a table, by their names in the database. */
export function sideNames(table: string, column: string): SideNames {
  const named = (ending: string): string => fitting(`${table}__${column}`, `__${ending}`)
  return {
    marks: named('marks'),
    marksIndex: named('marked'),
    claims: named('claims'),
    function: named('mark'),
    trigger: named('mark'),
    missingIndex: named('missing'),
    hash: fitting(column, '__hash'),
  }
}

// A shortened name contains a hash of the whole, so that two long names with the same beginning remain different.
function fitting(whole: string, ending: string): string {
  if (isShortEnough(whole + ending)) return whole + ending
  const hashed = `_${shortHash(whole)}${ending}`
  let start = whole
  while (!isShortEnough(start + hashed)) start = [...start].slice(0, -1).join('')
  return start + hashed
}

/** The side tables, quoted, with their schema. */
export function sideTables(schema: string, names: SideNames): { readonly marks: string; readonly claims: string } {
  return { marks: qualified(schema, names.marks), claims: qualified(schema, names.claims) }
}
