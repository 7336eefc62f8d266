import type { LockHolder } from '../core/errors.ts'
import { isRunningHere } from '../core/running.ts'
import type { Session } from '../database/session.ts'
import { readHolder, type HeldLock } from '../migrator/lock/holder.ts'
import type { MigrationTables } from '../migrator/settings.ts'
import { lockNumber } from '../migrator/lock/advisory-lock.ts'
import { findingsOf, type Finding } from './finding.ts'

const { ok, warning } = findingsOf('lock')

/** The state of the migration lock in the tables and on the server. */
export interface LockFacts extends HeldLock {
  /** The rows of Knex's lock table, which should have one. */
  readonly rows: number
  /** The PID of the backend that holds our advisory lock, for a running migration of this library. */
  readonly processId: number | null
}

/** Reads the lock from Knex's tables, which exist; `hasRuns` is whether our table of runs does. */
export async function readLock(session: Session, tables: MigrationTables, hasRuns: boolean): Promise<LockFacts> {
  const facts = await session.askAsCaller<Omit<LockFacts, keyof HeldLock>>(`with key as (
      select ${lockNumber(tables.lock)} as number
    )
    select pg_catalog.json_build_object(
      'rows', (select pg_catalog.count(*) from ${tables.lock}),
      'processId', (
        select l.pid from pg_catalog.pg_locks l, key
        where l.locktype operator(pg_catalog.=) 'advisory' and l.granted and l.objsubid operator(pg_catalog.=) 1
          and l.database operator(pg_catalog.=) (
            select oid from pg_catalog.pg_database where datname operator(pg_catalog.=) pg_catalog.current_database()
          )
          and ((l.classid::bigint operator(pg_catalog.<<) 32) operator(pg_catalog.|) l.objid::bigint)
            operator(pg_catalog.=) key.number
      )
    ) as state`)
  return { ...facts, ...(await readHolder(session, tables, hasRuns)) }
}

/** Reports a running migration or a crashed one. With `isSingle`, this process is the only one that can migrate. */
export function lockFindings(facts: LockFacts, tables: MigrationTables, isSingle: boolean): Finding[] {
  return [stateFinding(facts, isSingle), ...rowFindings(facts, tables)]
}

function stateFinding({ isLocked, isNoted, processId, run }: LockFacts, isSingle: boolean): Finding {
  const noted = isNoted && run !== null ? `: ${describe(run)}` : ''
  if (processId !== null && (isNoted || !isLocked)) {
    return ok(
      `held by a running migration${noted}; backend PID ${processId} has the lock`,
      'Wait for it. If you must stop it, end that process; the next run then continues.',
    )
  }
  if (!isLocked) return ok('free')
  if (isNoted || isSingle) {
    const fate = run !== null && isRunningHere(run) ? 'lost its connection' : 'is gone'
    return warning(`left behind by a run that ${fate}${noted}; the next run frees it`, 'npx knex-pgvector up')
  }
  const waiting = processId === null ? '' : `; another run waits for it (backend PID ${processId})`
  return warning(
    `set by stock Knex, which does not record who set it or when: it is running now, or has crashed${waiting}`,
    'npx knex-pgvector unlock --force -- if no process is running migrations',
  )
}

function describe({ processId, host, user, role, command, since }: LockHolder): string {
  return `${command} by process ${processId} on ${host} (user ${user ?? 'unknown'}, role ${role}) since ${since}`
}

// Stock Knex treats a lock table with several rows as locked forever.
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
