import type { PgvectorState } from '../../extension/state.ts'
import type { PlannedMigration } from './result.ts'
import type { PlanSource } from './sources.ts'
import type { PlannedStatement } from '../../database/record-statements.ts'
import { firstWords } from '../../sql-text/split-statements.ts'
import { tokensOf } from '../../sql-text/tokens.ts'

/** The inputs of a plan. */
export interface Basis {
  readonly migrations: readonly PlannedMigration[]
  readonly sources?: readonly PlanSource[]
  /** The database that the plan is for. */
  readonly here: PgvectorState
  /** The embedded database that produced the plan. */
  readonly replay: PgvectorState
  /** The migration hooks of the configuration. */
  readonly hooks: readonly string[]
  /** Pending migrations that come before one of these and were not planned. */
  readonly earlier: readonly string[]
  /** Applied migrations that could not be replayed. */
  readonly skipped?: readonly string[]
  /** Applied migrations whose files are missing. */
  readonly missing: readonly string[]
}

/** Returns what a plan cannot know, in sentences. */
export function notesOn({
  migrations,
  sources = [],
  here,
  replay,
  hooks,
  earlier,
  skipped = [],
  missing,
}: Basis): string[] {
  return [
    ...postgresNote(here, replay),
    ...pgvectorNote(migrations, here, replay),
    ...hooksNote(hooks),
    ...earlierNote(earlier),
    ...missingNote(missing),
    ...skippedNote(skipped),
    ...migrations.flatMap(dataNote),
    ...migrations.flatMap(emptyNote),
    ...migrations.flatMap(({ name }, place) => unawaitedNote(name, sources[place])),
  ]
}

function postgresNote(here: PgvectorState, replay: PgvectorState): string[] {
  if (here.server.major === replay.server.major) return []
  return [
    `Planned on PostgreSQL ${replay.server.major}; the server has ${here.server.version}. ` +
      'A migration that checks the version may behave differently there.',
  ]
}

function pgvectorNote(migrations: readonly PlannedMigration[], here: PgvectorState, replay: PgvectorState): string[] {
  const there = here.installed?.version ?? here.available?.defaultVersion
  if (there === undefined) {
    const isNeeded = migrations.some(({ statements }) => statements.some(createsPgvector))
    return isNeeded ? ['The server has no files of pgvector: the extension cannot be created there yet.'] : []
  }
  const planned = replay.installed?.version ?? replay.available?.defaultVersion
  if (planned === there) return []
  return [`Planned with pgvector ${planned}; the server ${here.installed === null ? 'would install' : 'has'} ${there}.`]
}

const CREATE_VECTOR = /\bcreate\s+extension\s+(if\s+not\s+exists\s+)?"?vector\b/i

function createsPgvector({ sql, privileged }: PlannedStatement): boolean {
  return privileged && CREATE_VECTOR.test(sql)
}

function missingNote(missing: readonly string[]): string[] {
  if (missing.length === 0) return []
  return [
    `Applied migrations without a file (${missing.join(', ')}) were not replayed. What they created is read from the database where a pending migration names it.`,
  ]
}

function skippedNote(skipped: readonly string[]): string[] {
  if (skipped.length === 0) return []
  return [
    `Applied migrations that use objects that no migration creates (${skipped.join(', ')}) were not replayed. What they created is read from the database where a pending migration names it.`,
  ]
}

function earlierNote(earlier: readonly string[]): string[] {
  if (earlier.length === 0) return []
  return [
    `Planned without earlier pending migrations (${earlier.join(', ')}): applied after them, a migration may do something else.`,
  ]
}

// A hook may do anything, such as take a backup or notify people.
function hooksNote(hooks: readonly string[]): string[] {
  if (hooks.length === 0) return []
  return [`The hooks of the configuration (${hooks.join(', ')}) were not run: what they send is not in the plan.`]
}

// Catalog queries get the right answer in a replay, and setval and similar functions are work, not questions.
const NO_DATA = /\b(information_schema|pg_\w+|setval|nextval|set_config)\b/i

function dataNote({ name, statements }: PlannedMigration): string[] {
  const question = statements.find(({ sql }) => {
    const words = Array.from(tokensOf(sql), ({ text }) => text.toLowerCase())
    return firstWords(sql, 1)[0] === 'select' && words.includes('from') && !NO_DATA.test(sql)
  })
  if (question === undefined) return []
  return [
    `${name} queries data (${question.sql.replaceAll(/\s+/g, ' ').slice(0, SHOWN)}). The replay contains only rows that ` +
      'migrations insert, so the result may differ.',
  ]
}

const SHOWN = 80

// As a second migration does that was generated from the same difference.
function emptyNote({ name, statements }: PlannedMigration): string[] {
  if (statements.length > 0) return []
  return [
    `${name} sends no statement. If it creates something, that exists already or an earlier migration creates it.`,
  ]
}

function unawaitedNote(name: string, source: PlanSource | undefined): string[] {
  return (source?.unawaited ?? []).map(({ sql, line }) => {
    const place = line === null ? '' : ` in line ${line}`
    return `${name} does not await a query${place}, so it may never be sent: ${sql.replaceAll(/\s+/g, ' ').slice(0, SHOWN)}`
  })
}
