import { identifier, literal, qualified, sendable } from '../core/sql.ts'
import { keyNames } from './key-sql.ts'
import { claimsColumns, marksColumns, type InStepState } from './state.ts'
import { createFunctionSql, createTriggerSql } from './trigger-sql.ts'

/** Returns the statements that create what is missing and replace what was altered. */
export function setUpSql(state: InStepState, notifies: boolean): readonly string[] {
  const { target, names, side } = state
  return [
    ...(side.marks === null ? createMarksSql(state) : []),
    ...(side.claims === null ? createClaimsSql(state) : []),
    ...createFunctionSql(state, notifies),
    ...(side.hash === null
      ? [`alter table ${target.table} add column ${identifier(names.hash)} pg_catalog.bytea`]
      : []),
    ...(side.trigger === null ? [] : [dropTriggerSql(state)]),
    createTriggerSql(state),
  ]
}

/** Returns the statements that remove everything, and nothing else. */
export function removeSql(state: InStepState): readonly string[] {
  const { target, names, tables, side } = state
  return [
    ...(side.trigger === null ? [] : [dropTriggerSql(state)]),
    ...(side.missingIndex === null ? [] : [`drop index if exists ${qualified(target.schema, names.missingIndex)}`]),
    ...(side.hash === null
      ? []
      : [`alter table ${target.table} drop column if exists ${identifier(names.hash)} restrict`]),
    ...(side.function === null
      ? []
      : [`drop function if exists ${qualified(target.schema, names.function)}() restrict`]),
    ...(side.marks === null ? [] : [`drop table if exists ${tables.marks} restrict`]),
    ...(side.claims === null ? [] : [`drop table if exists ${tables.claims} restrict`]),
  ]
}

function dropTriggerSql({ target, names }: InStepState): string {
  return `drop trigger if exists ${identifier(names.trigger)} on ${target.table}`
}

// A mark is never changed, and its number is never used again.
function createMarksSql(state: InStepState): readonly string[] {
  const { target, names, tables } = state
  const columns = marksColumns(target).map(([name, type]) => {
    if (name === 'seq') return `seq pg_catalog.int8 generated always as identity primary key`
    if (name === 'marked_at') return `marked_at pg_catalog.timestamptz not null default pg_catalog.clock_timestamp()`
    return keyColumnSql(state, name, type)
  })
  return [
    `create table ${tables.marks} (${columns.join(', ')})`,
    `create index ${identifier(names.marksIndex)} on ${tables.marks} (${keyNames(target.key).join(', ')})`,
    `comment on table ${tables.marks} is ${commentOn(state, 'the rows whose vectors are stale')}`,
  ]
}

const CLAIMS = {
  due_at: 'not null',
  attempts: 'not null default 0',
  holder: '',
  seq: 'not null default 0',
  error: '',
} as const satisfies Record<string, string>

function createClaimsSql(state: InStepState): readonly string[] {
  const { target, tables } = state
  const columns = claimsColumns(target).map(([name, type]) =>
    name in CLAIMS ? `${name} ${type} ${CLAIMS[name as keyof typeof CLAIMS]}` : keyColumnSql(state, name, type),
  )
  return [
    `create table ${tables.claims} (${columns.join(', ')}, primary key (${keyNames(target.key).join(', ')}))`,
    `comment on table ${tables.claims} is ${commentOn(state, 'the rows that a worker is embedding, or could not embed')}`,
  ]
}

function keyColumnSql({ target: { key } }: InStepState, name: string, type: string): string {
  const collation = key[keyNames(key).indexOf(name)]?.collation ?? null
  return `${name} ${sendable(type)}${collation === null ? '' : ` collate ${sendable(collation)}`} not null`
}

function commentOn({ label }: InStepState, what: string): string {
  return literal(`${label}: ${what} (knex-pgvector)`)
}
