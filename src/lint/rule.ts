import type { VectorIndex } from '../indexes/vector-index.ts'
import type { LockTimeout } from './lock-timeout.ts'
import type { RelationName, Statement } from './statement.ts'
import type { Tables } from './tables.ts'

/** A statement in its place, with all that a rule may ask. */
export interface Step {
  readonly statement: Statement
  /** As they are before it. */
  readonly tables: Tables
  readonly migration: string
  /** Whether it gives up where a lock is not to be had. */
  readonly hasLockTimeout: boolean
  /** The transaction that it runs in. */
  readonly transaction: LockTimeout['transaction']
  readonly declared: readonly VectorIndex[]
  /** The functions and views of all the migrations. */
  readonly queries: readonly string[]
}

/** What is wrong with a statement, in one sentence, and what to do. */
export interface Problem {
  readonly message: string
  readonly next: string
}

/** A rule looks at one statement. */
export type Rule = (step: Step) => readonly Problem[]

/** A name for people. */
export function shown({ schema, name }: RelationName): string {
  return schema === null ? name : `${schema}.${name}`
}

/** An index for people. */
export function shownIndex({ index }: Statement): string {
  if (index === null) return 'the index'
  return `the ${index.method} index${index.name === null ? '' : ` ${index.name}`} on ${shown(index.table)}`
}
