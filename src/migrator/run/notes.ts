import { isPgvectorMigrationError, sqlStateOf, errorMessage } from '../../core/errors.ts'
import { redact } from '../../sql-text/redact.ts'
import { STARTED_AT } from '../../database/look.ts'
import { serverMessage } from '../../database/server-message.ts'
import { READ_COMMITTED } from '../../database/transaction.ts'
import type { Direction } from '../events.ts'
import type { MigrationTables } from '../settings.ts'

/** What a run keeps on record of itself, beside its migrations in Knex's table: those that failed and that were undone. */
export interface RunNotes {
  readonly steps: readonly NotedStep[]
  readonly error: NotedError | null
  /** While it goes on: the backends that it uses, for the next run, which waits for their end. */
  readonly backends?: readonly NotedBackend[]
}

/** A backend, so that another one that got its PID later is not taken for it. */
export interface NotedBackend {
  readonly processId: number
  /** In seconds as the server counts them. */
  readonly startedAt: string | null
}

/** A migration that a run chose. Until the run ends, nothing is noted but that it was chosen. */
export interface NotedStep {
  readonly name: string
  readonly direction: Direction
  /** `died` is noted by the next run: this one had come so far when its process died. */
  readonly outcome?: 'done' | 'failed' | 'interrupted' | 'died' | 'not reached'
  readonly batch?: number | null
  /** Milliseconds between the start of the run and that of this migration. */
  readonly after?: number
  readonly milliseconds?: number
}

/** Why a run failed. */
export interface NotedError {
  /** The code of an error of this library; null for any other. */
  readonly code: string | null
  readonly sqlState: string | null
  readonly message: string
}

/** Where a run writes its notes while it works. */
export interface Notebook {
  chose(names: readonly string[]): void
  began(name: string, batch: number | null): void
  done(): void
  /** What was done before was taken back. */
  rolledBack(): void
  failed(error: unknown): void
  /** What is to be kept of all that the run chose. */
  read(): RunNotes
}

/** What is noted of migrations before they run. */
export function plannedSteps(names: readonly string[], direction: Direction): NotedStep[] {
  return names.map((name) => ({ name, direction }))
}

/** Opens a notebook at the start of a run. */
export function openNotebook(direction: Direction): Notebook {
  const start = performance.now()
  const steps: NotedStep[] = []
  let current: { readonly name: string; readonly batch: number | null; readonly after: number } | null = null
  let chosen: readonly string[] = []
  let noted: NotedError | null = null
  const end = (outcome: NonNullable<NotedStep['outcome']>): void => {
    if (current === null) return
    const milliseconds = Math.round(performance.now() - start - current.after)
    steps.push({ ...current, direction, outcome, milliseconds })
    current = null
  }
  return {
    chose: (names) => {
      chosen = names
    },
    began: (name, batch) => {
      current = { name, batch, after: performance.now() - start }
    },
    done: () => end('done'),
    rolledBack: () => {
      // What is not noted was not reached.
      steps.splice(0)
    },
    failed: (error) => {
      noted = notedError(error)
      end(isPgvectorMigrationError(error, 'MIGRATION_INTERRUPTED') ? 'interrupted' : 'failed')
    },
    read: () => {
      const reached = new Set(steps.map(({ name }) => name))
      const left = chosen.filter((name) => !reached.has(name))
      return {
        steps: [...steps, ...left.map((name) => ({ name, direction, outcome: 'not reached' as const }))],
        error: noted,
      }
    },
  }
}

/** Adds the backend that sends it to the notes of a run. */
export function notingBackend({ runs }: MigrationTables, run: number): readonly string[] {
  return [
    READ_COMMITTED,
    `update ${runs} set notes = pg_catalog.jsonb_set(notes, '{backends}',
      coalesce(notes operator(pg_catalog.->) 'backends', '[]') operator(pg_catalog.||) pg_catalog.jsonb_build_object(
        'processId', pg_catalog.pg_backend_pid(), 'startedAt', ${STARTED_AT}))
      where id operator(pg_catalog.=) ${run} and notes is not null`,
  ]
}

/** The PIDs, in SQL, of the backends that are noted in `run.notes` and still there. */
export const workingBackends = `
      select activity.pid from pg_catalog.jsonb_array_elements(coalesce(run.notes operator(pg_catalog.->) 'backends', '[]'))
        as noted (backend)
      cross join lateral pg_catalog.pg_stat_get_activity(
        (noted.backend operator(pg_catalog.->>) 'processId')::integer) as activity
      where extract(epoch from activity.backend_start)::pg_catalog.text
        operator(pg_catalog.=) (noted.backend operator(pg_catalog.->>) 'startedAt')`

/**
 * The notes of a run that died, as the next run works them out in SQL, where `run` is its row. Nobody has migrated since,
 * so what it had done can be seen; it was at the first that is not done.
 */
export function notesOfDead({ migrations }: MigrationTables): string {
  return `(
    select pg_catalog.jsonb_set(run.notes, '{steps}', coalesce(pg_catalog.jsonb_agg(step operator(pg_catalog.||) case
      when is_done then pg_catalog.jsonb_build_object('outcome', 'done', 'batch', batch,
        'after', ${millisecondsSinceStart('migration_time')})
      when position operator(pg_catalog.=) first_left then pg_catalog.jsonb_build_object('outcome', 'died',
        'after', ${millisecondsSinceStart('coalesce(last_done, run.started_at)')})
      else '{"outcome": "not reached"}'
    end order by position), '[]'))
    from (
      select *, pg_catalog.min(position) filter (where not is_done) over () as first_left,
        pg_catalog.max(migration_time) filter (where is_done) over () as last_done
      from (
        select step, position, batch, migration_time,
          (id is not null) operator(pg_catalog.=) (
            (step operator(pg_catalog.->>) 'direction') operator(pg_catalog.=) 'up'
          ) as is_done
        from pg_catalog.jsonb_array_elements(run.notes operator(pg_catalog.->) 'steps')
          with ordinality as planned (step, position)
        left join ${migrations} as row on row.name operator(pg_catalog.=) (step operator(pg_catalog.->>) 'name')
      ) as seen
    ) as judged
  )`
}

function millisecondsSinceStart(time: string): string {
  return `extract(epoch from ${time} operator(pg_catalog.-) run.started_at) operator(pg_catalog.*) 1000`
}

const MOST_OF_MESSAGE = 2000

function notedError(error: unknown): NotedError {
  // What failed is told by the step; here it counts why.
  const why = isPgvectorMigrationError(error, 'MIGRATION_FAILED') ? error.cause : error
  const isOurs = isPgvectorMigrationError(why)
  const message = isOurs || sqlStateOf(why) === undefined ? errorMessage(why) : serverMessage(why)
  return {
    code: isOurs ? why.code : null,
    sqlState: (isOurs ? why.sqlState : sqlStateOf(why)) ?? null,
    // jsonb has no place for the character 0, nor for half a character.
    message: Buffer.from(redact(message).slice(0, MOST_OF_MESSAGE).replaceAll('\0', '')).toString(),
  }
}
