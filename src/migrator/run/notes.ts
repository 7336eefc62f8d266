import { isPgvectorMigrationError, sqlStateOf, errorMessage } from '../../core/errors.ts'
import { redact } from '../../sql-text/redact.ts'
import { STARTED_AT } from '../../database/look.ts'
import { serverMessage } from '../../database/server-message.ts'
import { READ_COMMITTED } from '../../database/transaction.ts'
import type { Direction } from '../events.ts'
import type { MigrationTables } from '../settings.ts'

/** What a run records about itself, in addition to Knex's table: the migrations that failed or were rolled back. */
export interface RunNotes {
  readonly steps: readonly NotedStep[]
  readonly error: NotedError | null
  /** While it runs: the backends that it uses. The next run waits for them to end. */
  readonly backends?: readonly NotedBackend[]
}

/** A backend. Its start time distinguishes it from a later backend with the same PID. */
export interface NotedBackend {
  readonly processId: number
  /** In seconds, as the server counts them. */
  readonly startedAt: string | null
}

/** A migration that a run chose. Until the run ends, only the choice is recorded. */
export interface NotedStep {
  readonly name: string
  readonly direction: Direction
  /** `died` is recorded by the next run: the process ended during this migration. */
  readonly outcome?: 'done' | 'failed' | 'interrupted' | 'died' | 'not reached'
  readonly batch?: number | null
  /** Milliseconds between the start of the run and the start of this migration. */
  readonly after?: number
  readonly milliseconds?: number
}

/** Why a run failed. */
export interface NotedError {
  /** The code of an error of this library; null for any other error. */
  readonly code: string | null
  readonly sqlState: string | null
  readonly message: string
}

/** Collects the notes of a run while it works. */
export interface Notebook {
  chose(names: readonly string[]): void
  began(name: string, batch: number | null): void
  done(): void
  /** Earlier work of the run was rolled back. */
  rolledBack(): void
  failed(error: unknown): void
  /** Returns the notes on everything that the run chose. */
  read(): RunNotes
}

/** Returns the notes on migrations before they run. */
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
      // Steps without notes were not reached.
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
export function notingBackend(runs: string, run: number): readonly string[] {
  return [
    READ_COMMITTED,
    `update ${runs} set notes = pg_catalog.jsonb_set(notes, '{backends}',
      coalesce(notes operator(pg_catalog.->) 'backends', '[]') operator(pg_catalog.||) pg_catalog.jsonb_build_object(
        'processId', pg_catalog.pg_backend_pid(), 'startedAt', ${STARTED_AT}))
      where id operator(pg_catalog.=) ${run} and notes is not null`,
  ]
}

/** SQL for the PIDs of the backends in `run.notes` that still exist. */
export const workingBackends = `
      select activity.pid from pg_catalog.jsonb_array_elements(coalesce(run.notes operator(pg_catalog.->) 'backends', '[]'))
        as noted (backend)
      cross join lateral pg_catalog.pg_stat_get_activity(
        (noted.backend operator(pg_catalog.->>) 'processId')::integer) as activity
      where extract(epoch from activity.backend_start)::pg_catalog.text
        operator(pg_catalog.=) (noted.backend operator(pg_catalog.->>) 'startedAt')`

/**
 * Returns SQL for the notes of a crashed run, which the next run computes; `run` is the row of the crashed run. Nothing
 * has been migrated since, so its finished migrations are visible. It crashed during the first one that is not
 * finished.
 */
export function notesOfDead({ migrations }: Pick<MigrationTables, 'migrations'>): string {
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

/** Describes an error for a record. Its message is redacted, and that of a failed migration is of its cause. */
export function notedError(error: unknown): NotedError {
  // The step reports which migration failed. This records the cause.
  const why = isPgvectorMigrationError(error, 'MIGRATION_FAILED') ? error.cause : error
  const isOurs = isPgvectorMigrationError(why)
  const message = isOurs || sqlStateOf(why) === undefined ? errorMessage(why) : serverMessage(why)
  return {
    code: isOurs ? why.code : null,
    sqlState: (isOurs ? why.sqlState : sqlStateOf(why)) ?? null,
    // jsonb cannot store the character 0 or half of a surrogate pair.
    message: Buffer.from(redact(message).slice(0, MOST_OF_MESSAGE).replaceAll('\0', '')).toString(),
  }
}
