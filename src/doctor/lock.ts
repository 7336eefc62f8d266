import type { LockHolder } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import { unfinishedRun } from '../migrator/lock/holder.ts'
import type { MigrationTables } from '../migrator/settings.ts'
import { lockNumber } from '../migrator/lock/advisory-lock.ts'
import { findingsOf, type Finding } from './finding.ts'

const { ok, warning } = findingsOf('lock')

/** What the tables and the server say about the lock on migrations. */
export interface LockFacts {
  /** The rows of Knex's lock table, of which there should be one. */
  readonly rows: number
  readonly isLocked: boolean
  /** Whether a run of this library noted that it set `is_locked` as it is now. */
  readonly isNoted: boolean
  /** The process of the server that holds our advisory lock: a run of this library that lives. */
  readonly processId: number | null
  /** The last run of this library that did not note its end. */
  readonly run: LockHolder | null
}

/** Reads the lock of Knex's tables, which exist; `hasRuns` says whether our notes on runs do. */
export async function readLock(session: Session, tables: MigrationTables, hasRuns: boolean): Promise<LockFacts> {
  const facts = await session.ask<Omit<LockFacts, 'run'>>(`with key as (
      select ${lockNumber(tables.lock)} as number
    )
    select json_build_object(
      'rows', (select count(*) from ${tables.lock}),
      'isLocked', exists (select from ${tables.lock} where is_locked = 1),
      'isNoted', ${
        hasRuns
          ? `exists (
              select from ${tables.lock} as held
              join ${tables.runs} as run on run.lock_xmin = held.xmin::text and run.ended_at is null
              where held.is_locked = 1
            )`
          : 'false'
      },
      'processId', (
        select l.pid from pg_catalog.pg_locks l, key
        where l.locktype = 'advisory' and l.granted and l.objsubid = 1
          and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
          and (l.classid::bigint << 32) | l.objid::bigint = key.number
      )
    ) as state`)
  return { ...facts, run: hasRuns ? await unfinishedRun(session, tables) : null }
}

/** Whether somebody migrates, or died doing so; `isSingle` where this process is the only one that can. */
export function lockFindings(facts: LockFacts, tables: MigrationTables, isSingle: boolean): Finding[] {
  return [stateFinding(facts, isSingle), ...rowFindings(facts, tables)]
}

function stateFinding({ isLocked, isNoted, processId, run }: LockFacts, isSingle: boolean): Finding {
  const noted = isNoted && run !== null ? `: ${describe(run)}` : ''
  if (processId !== null && (isNoted || !isLocked)) {
    return ok(
      `held by a run that lives${noted}; its lock is with the server process ${processId}`,
      'Wait for it. Where it must go, end that process; the next run then goes on.',
    )
  }
  if (!isLocked) return ok('free')
  if (isNoted || isSingle) {
    return warning(`left behind by a run that is gone${noted}; the next run frees it`, 'npx knex-pgvector up')
  }
  const waiting = processId === null ? '' : `; a run waits for it (server process ${processId})`
  return warning(
    `set by stock Knex, which notes neither who nor since when: it migrates now, or has died${waiting}`,
    'npx knex-pgvector unlock --force -- where nobody migrates',
  )
}

function describe({ processId, host, user, role, command, since }: LockHolder): string {
  return `${command} by process ${processId} on ${host} (user ${user ?? 'unknown'}, role ${role}) since ${since}`
}

// Stock Knex takes a lock of several rows for one that is held, and for ever.
function rowFindings({ rows }: LockFacts, { lock }: MigrationTables): Finding[] {
  return rows < 2
    ? []
    : [
        warning(
          `${lock} has ${rows} rows instead of one: stock Knex can never lock it`,
          `DELETE FROM ${lock} WHERE index <> (SELECT min(index) FROM ${lock});`,
        ),
      ]
}
