import type { VectorIndex } from '../indexes/vector-index.ts'
import type { LockTimeout } from './lock-timeout.ts'
import type { ReportedWaits } from './reported-waits.ts'
import type { ColumnType, RelationName, Statement } from './statement.ts'
import type { Tables } from './tables.ts'

/** A statement in its context, with everything that a rule may need. */
export interface Step {
  readonly statement: Statement
  /** The tables before the statement. */
  readonly tables: Tables
  readonly migration: string
  /** Whether it gives up if it cannot get a lock. */
  readonly hasLockTimeout: boolean
  /** The tables of this migration that were reported to be waited for. */
  readonly waits: ReportedWaits
  /** The transaction that it runs in. */
  readonly transaction: LockTimeout['transaction']
  readonly declared: readonly VectorIndex[]
  /** The statements of all the migrations. */
  readonly statements: readonly Statement[]
  /** The functions and views of all the migrations. */
  readonly queries: readonly string[]
}

/** A problem of a statement, in one sentence, and what to do. */
export interface Problem {
  readonly message: string
  readonly next: string
}

/** A rule checks one statement. */
export type Rule = (step: Step) => readonly Problem[]

/** Whether a type is one of vectors. Bits have other uses than search by distance. */
export function isSearched(type: ColumnType | null): boolean {
  return type !== null && type.type !== 'bit'
}

/** Returns a name as messages print it. */
export function shown({ schema, name }: RelationName): string {
  return schema === null ? name : `${schema}.${name}`
}

/** Returns an index as messages print it. */
export function shownIndex({ index }: Statement): string {
  if (index === null) return 'the index'
  return `the ${index.method} index${index.name === null ? '' : ` ${index.name}`} on ${shown(index.table)}`
}
