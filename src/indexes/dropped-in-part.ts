import { logChange } from '../extension/log-change.ts'
import type { LogOptions } from '../core/options.ts'
import { qualified } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { afterwards } from './build/afterwards.ts'
import { withHint } from './build/errors.ts'
import type { BuildJob } from './build/job.ts'
import { UNKNOWN_STATE } from './build/left-behind.ts'
import type { ExistingIndex, TableFacts } from './look/facts.ts'
import { isInWorkSql, isValidSql, runningBuildsSql } from './look/validity.ts'

/** The progress of dropping an index and its parts. */
export interface DropState {
  readonly dropped: ExistingIndex[]
  /** The index whose concurrent drop was sent last; null before the first. */
  current: ExistingIndex | null
}

interface DropJob extends Pick<BuildJob, 'session' | 'watch'> {
  readonly needs: { readonly log: LogOptions | false }
  readonly state: DropState
}

/** What was to be dropped. */
interface Wanted {
  readonly table: TableFacts
  readonly existing: ExistingIndex
  /** The details by which the log recognises it. */
  readonly details: Readonly<Record<string, unknown>>
}

interface Seen {
  readonly isValid: boolean
  /** Whether another backend is still working on it, for example the one of a lost connection. */
  readonly isInWork: boolean
}

/**
 * Returns the error of a drop that ended early, with what was done by then. A concurrent drop first makes the index
 * invalid and then waits, so an unusable index may remain.
 */
export async function withDropState(job: DropJob, wanted: Wanted, error: unknown): Promise<unknown> {
  const { current } = job.state
  const seen = current === null ? { state: null } : await afterwards(job, (session) => readState(session, current.oid))
  if (seen === null) return withHint(error, UNKNOWN_STATE)
  const isDropped = (index: ExistingIndex): boolean =>
    job.state.dropped.includes(index) || (index === current && seen.state === null)
  const note = (event: 'index dropped' | 'index left invalid', details: Readonly<Record<string, unknown>>) =>
    afterwards(job, (session) => logChange(session, job.needs.log, { event, milliseconds: 0, details }))
  const name = nameOf(wanted.existing)
  const hints: string[] = []
  if (isDropped(wanted.existing)) {
    await note('index dropped', wanted.details)
    hints.push(`Index ${name} was dropped. If parts of it are left on partitions: npx knex-pgvector index list`)
  }
  if (current !== null && seen.state?.isValid === false) {
    const command = `DROP INDEX CONCURRENTLY ${nameOf(current)};`
    await note('index left invalid', { table: wanted.table.oid, index: current.name, command })
    const still = seen.state.isInWork ? ' Another backend is still dropping it.' : ''
    hints.push(`Index ${nameOf(current)} is invalid now: no query uses it.${still} To finish: ${command}`)
  }
  return hints.length === 0 ? error : withHint(error, hints.join('. '))
}

function nameOf({ schema, name }: ExistingIndex): string {
  return qualified(schema, name)
}

function readState(session: Session, index: number): Promise<{ readonly state: Seen | null }> {
  return session.ask(`
    with ${runningBuildsSql}
    select json_build_object('state', (
      select json_build_object('isValid', ${isValidSql('x')}, 'isInWork', ${isInWorkSql('x.indexrelid', 'x.indrelid')})
      from pg_catalog.pg_index x where x.indexrelid = ${index}
    )) as state`)
}
