import type { PgvectorState } from '../../extension/state.ts'
import type { PlannedMigration } from './result.ts'
import type { PlannedStatement } from '../../database/record-statements.ts'
import { firstWords } from '../../sql-text/split-statements.ts'
import { tokensOf } from '../../sql-text/tokens.ts'

/** What a plan was made from. */
export interface Basis {
  readonly migrations: readonly PlannedMigration[]
  /** The database that it is for. */
  readonly here: PgvectorState
  /** The embedded one that it was made on. */
  readonly replay: PgvectorState
  /** The hooks of migrations that the configuration has. */
  readonly hooks: readonly string[]
  /** Applied migrations whose files are gone. */
  readonly missing: readonly string[]
}

/** What a plan cannot know, in sentences. */
export function notesOn({ migrations, here, replay, hooks, missing }: Basis): string[] {
  return [
    ...postgresNote(here, replay),
    ...pgvectorNote(migrations, here, replay),
    ...hooksNote(hooks),
    ...missingNote(missing),
    ...migrations.flatMap(dataNote),
  ]
}

function postgresNote(here: PgvectorState, replay: PgvectorState): string[] {
  if (here.server.major === replay.server.major) return []
  return [
    `Planned on PostgreSQL ${replay.server.major}; the server has ${here.server.version}. ` +
      'A migration that asks for the version may do something else there.',
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
    `Applied migrations without a file (${missing.join(', ')}) were not replayed: what they made is not known here.`,
  ]
}

// A hook may do anything: back up, or tell people.
function hooksNote(hooks: readonly string[]): string[] {
  if (hooks.length === 0) return []
  return [`The hooks of the configuration (${hooks.join(', ')}) were not run: what they send is not in the plan.`]
}

// Whoever asks the catalog gets the right answer in a replay, and setval and its like are work, not questions.
const NO_DATA = /\b(information_schema|pg_\w+|setval|nextval|set_config)\b/i

function dataNote({ name, statements }: PlannedMigration): string[] {
  const question = statements.find(({ sql }) => {
    const words = Array.from(tokensOf(sql), ({ text }) => text.toLowerCase())
    return firstWords(sql, 1)[0] === 'select' && words.includes('from') && !NO_DATA.test(sql)
  })
  if (question === undefined) return []
  return [
    `${name} asks for data (${question.sql.replaceAll(/\s+/g, ' ').slice(0, SHOWN)}). The replay has only what ` +
      'migrations insert, so what it does with the answer may differ.',
  ]
}

const SHOWN = 80
