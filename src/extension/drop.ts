import { PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import {
  MIN_POSTGRES_MAJOR,
  dropOptions,
  type DropOptions,
  type LogOptions,
  type ParsedDropOptions,
} from '../core/options.ts'
import { parseOptions } from '../core/parse-options.ts'
import { literal } from '../core/sql.ts'
import { sessionOf, type Database, type Session } from '../database/session.ts'
import { assertCoordinator } from '../database/topology.ts'
import { sqlState, translate } from '../database/sqlstate.ts'
import { readDependents, summarise, type Dependent, type Dependents } from './dependents.ts'
import { readState } from './inspect.ts'
import { rememberSchema } from './known-schema.ts'
import { lockAndLook } from './lock.ts'
import { originOfExtension, reasonKept, writeToLog, type Origin } from '../log/migration-log.ts'
import { schemasOfLogs, readLogState, type LogState } from '../log/log-state.ts'
import { loggerFrom } from '../database/logger.ts'
import { refuseReadOnly } from '../database/read-only.ts'
import { remedies } from '../pgvector/providers.ts'
import type { InstalledExtension, PgvectorState } from './state.ts'

/** What {@link dropPgvector} did, and why. */
export interface DropResult {
  /** `absent`: there was nothing to drop. `kept`: see `reason`. */
  readonly status: 'dropped' | 'kept' | 'absent'
  /** `in-use`: an object depends on it. `not-ours`: this library's log does not show that it created the extension. */
  readonly reason?: 'in-use' | 'not-ours'
  /** Everything that depends on the extension, which is kept while there is anything. */
  readonly dependents: readonly Dependent[]
  /** Warnings: why the extension was kept, and functions that name pgvector only in their source. */
  readonly warnings: readonly string[]
}

/**
 * Drops pgvector if nothing uses it and this library created it, and keeps it otherwise. It never cascades.
 *
 * @example
 * export async function down(knex: Knex): Promise<void> {
 *   await knex.raw('drop table documents')
 *   await dropPgvector(knex)
 * }
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, UNSUPPORTED_DATABASE, POSTGRES_TOO_OLD, INSUFFICIENT_PRIVILEGE,
 * READ_ONLY or LOCK_TIMEOUT.
 */
export async function dropPgvector(db: Database, options: DropOptions = {}): Promise<DropResult> {
  const needs = parseOptions(dropOptions, options)
  const session = sessionOf(db)
  const logger = loggerFrom(needs.logger)
  const state = await look(session, needs)
  if (state.installed === null) return { status: 'absent', dependents: [], warnings: [] }
  const result = await session.transaction(
    async (trx) => {
      const installed = await lockAndLook(trx, needs.wait, (seen) => seen === null)
      if (installed === null) return { status: 'absent', dependents: [], warnings: [] } satisfies DropResult
      const current = installed.oid === state.installed?.oid ? state : await look(trx, needs)
      return dropUnlessUsed(trx, needs, current)
    },
    { isBrief: true },
  )
  if (result.status !== 'kept') rememberSchema(db, null)
  if (result.status === 'dropped')
    logger.info(`pgvector ${state.installed.version} dropped from the schema "${state.installed.schema}"`)
  for (const warning of result.warnings) logger.warn(warning)
  return result
}

async function look(session: Session, needs: ParsedDropOptions): Promise<PgvectorState> {
  const state = await readState(session, { log: needs.log === false ? undefined : needs.log }, null)
  if (state.server.major < MIN_POSTGRES_MAJOR) {
    const { version } = state.server
    throw new PgvectorMigrationError('POSTGRES_TOO_OLD', { version, requiredMajor: MIN_POSTGRES_MAJOR })
  }
  if (state.installed === null) return state
  refuseReadOnly(state.readOnly)
  if (state.isCitus) await assertCoordinator(session)
  return state
}

async function dropUnlessUsed(trx: Session, needs: ParsedDropOptions, state: PgvectorState): Promise<DropResult> {
  const started = performance.now()
  const dependents = await readDependents(trx)
  const reason = await reasonToKeep(trx, needs, state, dependents)
  if (reason !== undefined) return keep(trx, needs, state, dependents, reason, started)
  try {
    // Runs in its own savepoint. If another session has added a dependent in the meantime, the drop fails and the work
    // continues.
    await trx.transaction((savepoint) => savepoint.send('drop extension vector restrict'))
  } catch (error) {
    if (sqlStateOf(error) !== sqlState.dependentObjectsStillExist) throw translated(error, state)
    return keep(trx, needs, state, await readDependents(trx), 'in-use', started)
  }
  await record(trx, needs, state, 'dropped', started, {})
  return { status: 'dropped', dependents: [], warnings: mentionWarnings(dependents) }
}

type ReasonToKeep = 'in-use' | Exclude<Origin, 'ours'>

async function reasonToKeep(
  trx: Session,
  needs: ParsedDropOptions,
  state: PgvectorState,
  dependents: Dependents,
): Promise<ReasonToKeep | undefined> {
  if (dependents.objects.length > 0) return 'in-use'
  if (!needs.onlyOurs || state.installed === null) return undefined
  const origin = needs.log === false ? 'unknown' : await originByLogs(trx, needs.log, state.log, state.installed)
  return origin === 'ours' ? undefined : origin
}

// The extension may have been created with another search path, and therefore be recorded in another log: with one
// schema per tenant, each tenant has its own. All sessions share the log in the extension's schema.
async function originByLogs(
  trx: Session,
  log: LogOptions,
  onPath: LogState,
  { oid, schema }: InstalledExtension,
): Promise<Origin> {
  const origin = await originOfExtension(trx, onPath, oid)
  if (origin !== 'unknown' || log.schema !== undefined || onPath.schema === schema) return origin
  return originOfExtension(trx, await readLogState(trx, { ...log, schema }), oid)
}

async function keep(
  trx: Session,
  needs: ParsedDropOptions,
  state: PgvectorState,
  dependents: Dependents,
  kept: ReasonToKeep,
  started: number,
): Promise<DropResult> {
  const reason = kept === 'in-use' ? kept : 'not-ours'
  const elsewhere = kept === 'unknown' ? await otherLog(trx, needs, state.log) : ''
  const why =
    kept === 'in-use'
      ? `Cannot drop pgvector: tables using vector type exist (${summarise(dependents.objects)})`
      : `pgvector ${reasonKept(kept, 'created')}. ${elsewhere}To drop it anyway: dropPgvector(knex, { onlyOurs: false })`
  const unwritten = await record(trx, needs, state, 'kept', started, { reason, dependents: dependents.objects.length })
  return { status: 'kept', reason, dependents: dependents.objects, warnings: [why, ...unwritten] }
}

// A tenant's log is in the first schema of its search path, which is not on the search path of another tenant.
async function otherLog(trx: Session, { log }: ParsedDropOptions, { schema }: LogState): Promise<string> {
  if (log === false || log.schema !== undefined) return ''
  const other = (await schemasOfLogs(trx, log)).find((each) => each !== schema)
  if (other === undefined) return ''
  return (
    `There is another log in the schema "${other}". If pgvector was created through that log: ` +
    `dropPgvector(knex, { log: { schema: ${literal(other)} } }). `
  )
}

function mentionWarnings({ mentions }: Dependents): string[] {
  return mentions.map(
    ({ description }) => `pgvector was dropped, but ${description}: it will fail when it is next used.`,
  )
}

async function record(
  trx: Session,
  needs: ParsedDropOptions,
  state: PgvectorState,
  event: 'dropped' | 'kept',
  started: number,
  details: Readonly<Record<string, unknown>>,
): Promise<readonly string[]> {
  const { installed, log, server, provider } = state
  if (needs.log === false || installed === null) return []
  return writeToLog(trx, log, {
    event,
    versionBefore: installed.version,
    versionAfter: event === 'dropped' ? null : installed.version,
    schema: installed.schema,
    server: server.version,
    provider,
    extensionOid: installed.oid,
    dimensions: null,
    durationMilliseconds: performance.now() - started,
    details,
  })
}

function translated(error: unknown, state: PgvectorState): unknown {
  const owner = state.owner?.name
  return translate(error, {
    statement: 'DROP EXTENSION',
    role: state.role.name,
    major: state.server.major,
    schema: state.installed?.schema ?? '',
    installed: state.installed?.version ?? null,
    target: null,
    hints: {
      ...remedies(state.provider),
      privilege:
        owner === undefined ? undefined : `It belongs to role "${owner}". Run this as that role or as a superuser.`,
    },
  })
}
