import { logKind, optionsParser } from '../core/option-kinds.ts'
import type { LogOptions } from '../core/options.ts'
import type { Session } from '../database/session.ts'
import { qualified, sendable } from '../core/sql.ts'
import { loggerFrom } from '../database/logger.ts'
import { doubtfulSql, readDistrust } from '../database/table-trust.ts'
import { logStateOf, logStateSql, type LogAnswer } from '../log/log-state.ts'
import type { Direction } from './events.ts'
import { trackingTable, type MigrationSettings } from './settings.ts'
import { readKinds, type ReadOptions } from './status.ts'
import { trustWarnings } from './trust.ts'

/** One entry of the history. */
export type HistoryEntry = RunEntry | MigrationEntry | ExtensionEntry

/** A run of this library started. */
export interface RunEntry extends HistoryLine {
  readonly kind: 'run'
  readonly run: HistoryRun
  readonly milliseconds: number | null
  /** Why it failed between its migrations. A failed migration has its own error. */
  readonly error: HistoryError | null
  /** The migrations that it chose but did not reach. Until the run ends, all that it chose. */
  readonly left: readonly string[]
}

/** A migration was applied or rolled back, or was about to be. The source is the record of a run, or Knex's table. */
export interface MigrationEntry extends HistoryLine {
  readonly kind: 'migration'
  readonly migration: string
  readonly direction: Direction
  /** `died`: the run's process ended during this migration. */
  readonly outcome: 'done' | 'failed' | 'interrupted' | 'died'
  /** The number of Knex's batch; null if unknown. */
  readonly batch: number | null
  /** The duration; null if it was not recorded, as with stock Knex. */
  readonly milliseconds: number | null
  /** Why it failed. */
  readonly error: HistoryError | null
}

/** The error of a run or migration. */
export interface HistoryError {
  /** The code of an error of this library; null for any other error. */
  readonly code: string | null
  readonly sqlState: string | null
  readonly message: string
}

/** A change to pgvector, from the migration log. */
export interface ExtensionEntry extends HistoryLine {
  readonly kind: 'extension'
  readonly event: string
  readonly migration: string | null
  readonly application: string | null
  readonly versionBefore: string | null
  readonly versionAfter: string | null
  readonly schema: string | null
  readonly milliseconds: number | null
  readonly details: Readonly<Record<string, unknown>>
}

interface HistoryLine {
  /** ISO 8601; null if Knex's table has no time. */
  readonly at: string | null
  /** The database role; null if it was not recorded, as with stock Knex. */
  readonly role: string | null
  /** The run that did it; null if it was not a run of this library. */
  readonly run: HistoryRun | null
}

/** A run of this library, as recorded. */
export interface HistoryRun {
  readonly id: number
  readonly command: string
  readonly host: string
  readonly processId: number
  /** The operating system user; null if unknown. */
  readonly user: string | null
  /** How it ended: succeeded, failed or died; null while it runs, or if its death has not been noticed yet. */
  readonly outcome: string | null
}

/** Where to look, in addition to Knex's tables. */
export interface HistoryOptions extends ReadOptions {
  /** Where the migration log is, if it is not `pgvector_migration_log` on the search path. */
  readonly log?: LogOptions | undefined
}

/** @internal */
export const parseHistoryOptions = optionsParser({ log: logKind, ...readKinds })

/**
 * Returns everything recorded, oldest first. It only reads, from whichever of the tables exist. Rows of a table that
 * another role controls are shown with a warning. They are left out if reading them could run that role's code.
 */
export async function historyOf(
  session: Session,
  { tables }: MigrationSettings,
  { log = {}, logger }: HistoryOptions = {},
): Promise<HistoryEntry[]> {
  const oids = [tables.migrations, tables.runs].map(trackingTable)
  const [{ names, doubtful }, answer] = (await session.askEach([
    `select json_build_object('names', json_build_array(${oids.map((oid) => `(${nameOf(oid)})`).join(', ')}),
      'doubtful', ${doubtfulSql(oids)}) as state`,
    logStateSql(log),
  ])) as [{ readonly names: readonly (string | null)[]; readonly doubtful: readonly number[] }, LogAnswer]
  const kept = await logStateOf(session, answer)
  const distrusted = [...(await readDistrust(session, doubtful)), ...(kept.distrust === null ? [] : [kept.distrust])]
  const unsafe = new Set(distrusted.filter(({ isUnsafeToRead }) => isUnsafeToRead).map(({ table }) => table))
  for (const warning of trustWarnings(distrusted)) loggerFrom(logger).warn(warning)
  const [migrations, runs] = names.map((table) => (table === null || unsafe.has(table) ? null : sendable(table)))
  const isShown = kept.exists && kept.distrust?.isUnsafeToRead !== true
  const lines = isShown && kept.schema !== null ? qualified(kept.schema, kept.table) : null
  return session.ask<HistoryEntry[]>(`with run as (${typeof runs === 'string' ? runsOf(runs) : noRuns}),
    logged as (${lines === null ? noLines : `select happened_at, migration from ${lines}`}),
    step as (${steps}),
    line as (
      ${[runLines, stepLines, ...(typeof migrations === 'string' ? [migrationLines(migrations)] : []), ...(lines === null ? [] : [logLines(lines)])].join('\n      union all ')}
    )
    select coalesce(json_agg(
      line.body || jsonb_build_object('at', line.at, 'role', coalesce(line.role, run.role), 'run', case
        when run.id is not null then jsonb_build_object('id', run.id, 'command', run.command, 'host', run.host,
          'processId', run.process_id, 'user', run.operating_system_user, 'outcome', run.outcome) end)
      order by line.at nulls first, line.rank, line.id), '[]') as state
    from line
    left join lateral (
      -- runs never overlap, so a migration belongs to the run during which it was recorded
      select * from run
      where run.id = line.run or line.run is null and line.body ->> 'migration' is not null
        and line.at >= run.started_at and (run.ended_at is null or line.at <= run.ended_at)
      order by run.id desc limit 1
    ) as run on true`)
}

const nameOf = (oid: string): string => `
  select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = ${oid}`

// Reads the column through json, because a table from an earlier release does not have it. A run that only determined the
// losses of a rollback changed nothing.
const runsOf = (table: string): string => `
  select id, command, started_at, ended_at, outcome, host, process_id, operating_system_user, role,
    coalesce(to_jsonb(noted) -> 'notes', 'null') as notes
  from ${table} as noted
  where command <> 'losses'`

const noRuns = `
  select null::bigint as id, null::text as command, null::timestamptz as started_at, null::timestamptz as ended_at,
    null::text as outcome, null::text as host, null::integer as process_id, null::text as operating_system_user,
    null::text as role, null::jsonb as notes
  where false`

const noLines = 'select null::timestamptz as happened_at, null::text as migration where false'

// When a migration began was measured by the process that ran it, and what the log has by the server. The server's clock
// decides: a migration began after all that was logged by those before it, and before anything that it logged itself.
const steps = `
  select run, started_at, ended_at, error, position, name, direction, outcome, batch, milliseconds,
    least(own_first, greatest(noted_at, interval '1 microsecond' + max(own_last) over (
      partition by run order by position rows between unbounded preceding and 1 preceding))) as at
  from (
    select run.id as run, run.started_at, run.ended_at, run.notes -> 'error' as error, position,
      noted ->> 'name' as name, noted ->> 'direction' as direction, noted ->> 'outcome' as outcome,
      noted -> 'batch' as batch, noted -> 'milliseconds' as milliseconds,
      run.started_at + coalesce((noted ->> 'after')::float8, 0) * interval '1 millisecond' as noted_at,
      own_first, own_last
    from run
    cross join jsonb_array_elements(coalesce(run.notes -> 'steps', '[]')) with ordinality as listed (noted, position)
    left join lateral (
      select min(happened_at) as own_first, max(happened_at) as own_last from logged
      where logged.migration = noted ->> 'name' and happened_at >= run.started_at
        and (run.ended_at is null or happened_at <= run.ended_at)
    ) as own on true
  ) as measured`

const runLines = `
  select started_at as at, 0 as rank, id, id as run, role, jsonb_build_object('kind', 'run',
    'milliseconds', round(extract(epoch from ended_at - started_at) * 1000),
    'error', case
      when not exists (select from step where step.run = run.id and outcome in ('failed', 'interrupted')) then notes -> 'error'
    end,
    'left', (
      select coalesce(jsonb_agg(name order by position), '[]') from step
      where step.run = run.id and coalesce(outcome, 'not reached') = 'not reached'
    )) as body
  from run`

const stepLines = `
  select at, 1, position, run, null, jsonb_build_object('kind', 'migration', 'migration', name, 'direction', direction,
    'outcome', outcome, 'batch', batch, 'milliseconds', milliseconds,
    'error', case when outcome in ('failed', 'interrupted') then error end)
  from step where outcome <> 'not reached'`

// Leaves out migrations that a run recorded, because those are already listed.
const migrationLines = (table: string): string => `
  select migration_time, 1, id, null, null, jsonb_build_object('kind', 'migration', 'migration', name,
    'direction', 'up', 'outcome', 'done', 'batch', batch, 'milliseconds', null, 'error', null)
  from ${table} as recorded
  where not exists (
    select from step
    where step.name = recorded.name and step.direction = 'up' and step.outcome = 'done'
      and recorded.migration_time >= step.started_at
      and (step.ended_at is null or recorded.migration_time <= step.ended_at)
  )`

const logLines = (table: string): string => `
  select happened_at, 2, id, null, role, jsonb_build_object('kind', 'extension', 'event', event, 'migration', migration,
    'application', application, 'versionBefore', version_before, 'versionAfter', version_after, 'schema', schema,
    'milliseconds', duration_ms, 'details', details)
  from ${table}`
