import { rightsSql, type TableWithRights } from '../columns/table-rights.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import type { Logger, LogOptions } from '../core/options.ts'
import { literal, sendable } from '../core/sql.ts'
import { withHeldSession, type HeldSession } from '../database/held-session.ts'
import type { Session } from '../database/session.ts'
import { logChange } from '../extension/log-change.ts'
import { afterwards, dropAfterwards } from './build/afterwards.ts'
import { sendConcurrently } from './build/concurrently.ts'
import { withHint, workError } from './build/errors.ts'
import { UNKNOWN_STATE } from './build/left-behind.ts'
import { waitingReport } from './build/report.ts'
import { unwatched, watchBuild, type Patience } from './build/watch.ts'
import type { WaitsFor } from './look/open-transactions.ts'
import { logStep } from './log-step.ts'
import { isCopySql, isValidSql } from './look/validity.ts'

/** How an index is rebuilt. */
export interface RebuildNeeds extends Patience {
  readonly log: LogOptions | false
}

/** What to do about an existing index. */
export interface Rebuild {
  /** With its schema, as PostgreSQL prints it. */
  readonly name: string
  readonly work: 'reindex' | 'drop'
  /** The details that the log records. */
  readonly details: Readonly<Record<string, unknown>>
  /** Settings of the session that rebuilds it. */
  readonly settings?: (session: HeldSession) => Promise<Readonly<Record<string, string>>>
}

/** The table and copies of an index. */
interface Place {
  readonly index: string
  readonly table: TableWithRights & { readonly oid: number }
  /** The copies that an interrupted REINDEX CONCURRENTLY left behind, with their schema, as PostgreSQL prints them. */
  readonly copies: readonly string[]
}

/**
 * Rebuilds an index without blocking writes, or drops one that REINDEX left behind, and logs it. Copies from an earlier
 * attempt are dropped first. Returns warnings.
 *
 * If it ends early, the copy that it created is dropped. If that is not possible, the copy is logged, and the error
 * names the command that drops it.
 */
export function rebuildConcurrently(
  caller: Session,
  { name, work, details, settings = () => Promise.resolve({}) }: Rebuild,
  needs: RebuildNeeds,
  logger: Logger,
): Promise<readonly string[]> {
  const warnings: string[] = []
  const report = {
    warn: (message: string) => warnings.push(message),
    waiting: waitingReport(name, logger),
    progress: () => undefined,
  }
  return withHeldSession(
    caller,
    () => undefined,
    async (session) => {
      const started = Date.now()
      const watch = session.isEmbedded ? unwatched : watchBuild(caller, session.processId, report, needs)
      const job = { session, watch, needs, report }
      try {
        const { index, table, copies } = await readPlace(session, name)
        const begun = { hasBegun: false }
        const send = async (statement: string, waitsFor: WaitsFor): Promise<void> => {
          const onBegin = (): void => void (begun.hasBegun ||= waitsFor === 'writers')
          const outcome = await sendConcurrently(job, { table: table.oid, statement, waitsFor, onBegin })
          if ('result' in outcome) return
          const attempted = work === 'drop' ? 'DROP INDEX' : 'REINDEX INDEX'
          const error = workError(outcome, { statement: attempted, index, table, started })
          throw begun.hasBegun ? await withCopies(job, name, table.oid, error) : error
        }
        if (work === 'drop') await send(`drop index concurrently if exists ${sendable(name)}`, 'everyone')
        else {
          for (const copy of copies) await send(`drop index concurrently if exists ${sendable(copy)}`, 'everyone')
          // The embedded database has no other session that could wait.
          const statement = `reindex index ${session.isEmbedded ? '' : 'concurrently '}${sendable(name)}`
          await session.withSettings(await settings(session), () => send(statement, 'writers'))
        }
        const event = work === 'drop' ? 'index dropped' : 'index rebuilt'
        const change = { event, milliseconds: Date.now() - started, details } as const
        const unwritten = await logStep(job, needs.log, change, null)
        return [...warnings, ...unwritten]
      } finally {
        await watch.close()
      }
    },
  )
}

type Job = Parameters<typeof afterwards>[0] & { readonly needs: RebuildNeeds }

/** Returns the error of a rebuild that ended early, with the copy that it left behind. */
async function withCopies(job: Job, name: string, table: number, error: unknown): Promise<unknown> {
  await dropAfterwards(job, LOCK_TIMEOUT, async (session) => (await readPlace(session, name)).copies.map(sendable))
  const left = await afterwards(job, (session) => readPlace(session, name))
  if (left === null) return withHint(error, UNKNOWN_STATE)
  if (left.copies.length === 0) return error
  const command = left.copies.map((copy) => `DROP INDEX CONCURRENTLY ${copy};`).join(' ')
  const details = { table, index: name, command }
  await afterwards(job, (session) =>
    logChange(session, job.needs.log, { event: 'index left invalid', milliseconds: 0, details }),
  )
  return withHint(
    error,
    `A copy of ${name} was left, which slows down every write and serves no query. Run the same command again, or drop it: ${command}`,
  )
}

const LOCK_TIMEOUT = 1000

async function readPlace(session: Session, name: string): Promise<Place> {
  const place = await session.ask<Place | null>(`
    select json_build_object('index', w.relname,
      'table', json_build_object('oid', t.oid::bigint, 'schema', n.nspname, 'name', t.relname,
        'rights', ${rightsSql('t')}), 'copies', (
      select coalesce(json_agg(format('%I.%I', cn.nspname, c.relname) order by c.oid), '[]')
      from pg_catalog.pg_index x
      join pg_catalog.pg_class c on c.oid = x.indexrelid
      join pg_catalog.pg_namespace cn on cn.oid = c.relnamespace
      where x.indrelid = wanted.indrelid and not ${isValidSql('x')} and ${isCopySql('c.relname')}
        -- PostgreSQL shortens the name so that the rest of it fits
        and c.oid <> wanted.indexrelid and starts_with(c.relname, left(w.relname, 50))
    )) as state
    from pg_catalog.pg_index wanted
    join pg_catalog.pg_class w on w.oid = wanted.indexrelid
    join pg_catalog.pg_class t on t.oid = wanted.indrelid
    join pg_catalog.pg_namespace n on n.oid = t.relnamespace
    where wanted.indexrelid = to_regclass(${literal(name)})`)
  if (place === null) throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name, kind: 'index' })
  return place
}
