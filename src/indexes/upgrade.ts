import { PgvectorMigrationError } from '../core/errors.ts'
import { logChange } from '../extension/log-change.ts'
import { loggerFrom } from '../database/logger.ts'
import { advisoriesFor, broughtBetween, endedBetween, type Advisory } from '../pgvector/releases.ts'
import { updateExtension, type PendingIndex, type Update } from '../extension/update.ts'
import { extensionOptions, versionOption, type Logger, type LogOptions } from '../core/options.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { sendable } from '../core/sql.ts'
import { isCopySql, isValidSql } from './look/validity.ts'
import type { Duration } from '../core/durations.ts'
import { withHeldSession, type HeldSession } from '../database/held-session.ts'

/** What {@link upgradePgvector} may be told. */
export interface UpgradeOptions {
  /** The version to update to; default the newest that the server has files of. */
  readonly to?: string | undefined
  /** Rebuild the indexes that an advisory which the update ends says to rebuild, beside those who write; default false. */
  readonly reindex?: boolean | undefined
  /** How long to wait for another session that is changing pgvector, in milliseconds or like '60s'; default 60000. */
  readonly lockTimeout?: Duration | undefined
  /** Where messages go; default the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is kept; `false` writes none, and then no later run knows what is to be rebuilt. */
  readonly log?: LogOptions | false | undefined
}

/** What {@link upgradePgvector} did. */
export interface UpgradeResult {
  readonly status: 'updated' | 'unchanged'
  readonly versionBefore: string
  readonly version: string
  readonly schema: string
  /** What came with the releases in between: 0.8.0: iterative index scans … */
  readonly brings: readonly string[]
  /** What was wrong with the version before, and is no more. */
  readonly ended: readonly Advisory[]
  /** What is wrong with the version that is installed now. */
  readonly remaining: readonly Advisory[]
  /** Indexes that are still to be rebuilt, with their schema. */
  readonly toRebuild: readonly string[]
  /** Indexes that were rebuilt now. */
  readonly rebuilt: readonly string[]
  readonly warnings: readonly string[]
}

export const upgradeOptions = lazySchema((z) =>
  extensionOptions().extend({
    to: versionOption().optional(),
    reindex: z.boolean('must be true or false').default(false),
  }),
)

/**
 * Updates the extension, tells what that brings and which advisories it ends, and with `reindex` rebuilds the indexes
 * that these say to rebuild. Interrupted, the next call goes on with the indexes that are left.
 *
 * @example const { version, ended, toRebuild } = await upgradePgvector(knex, { reindex: true })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, PGVECTOR_NOT_ENABLED, PGVECTOR_DOWNGRADE, PGVECTOR_NO_UPDATE_PATH,
 * INSUFFICIENT_PRIVILEGE, READ_ONLY, LOCK_TIMEOUT, VERIFICATION_FAILED or SESSION_SHARED.
 */
export async function upgradePgvector(db: Database, options: UpgradeOptions = {}): Promise<UpgradeResult> {
  const needs = parseOptions(upgradeOptions, options)
  const session = sessionOf(db)
  if (needs.reindex && session.isInTransaction) {
    const problems = ['reindex: indexes are rebuilt beside writers only outside a transaction']
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  const logger = loggerFrom(needs.logger)
  const update = await updateExtension(session, needs)
  const rebuilt: string[] = []
  const warnings = [...update.warnings]
  if (needs.reindex) {
    for (const index of update.pending) {
      logger.info(`rebuilding ${index.name}`)
      warnings.push(...(await rebuild(session, index, needs.log)))
      rebuilt.push(index.name)
    }
  }
  const result = resultOf(update, rebuilt, [...new Set(warnings)])
  announce(result, logger)
  return result
}

function resultOf(
  { before, after, schema, pending }: Update,
  rebuilt: readonly string[],
  found: string[],
): UpgradeResult {
  const toRebuild = pending.map(({ name }) => name).filter((name) => !rebuilt.includes(name))
  const advice = toRebuild.map((name) => `To be rebuilt: REINDEX INDEX CONCURRENTLY ${name};`)
  return {
    status: before === after ? 'unchanged' : 'updated',
    versionBefore: before,
    version: after,
    schema,
    brings: broughtBetween(before, after),
    ended: endedBetween(before, after),
    remaining: advisoriesFor(after),
    toRebuild,
    rebuilt,
    warnings: [...found, ...advice],
  }
}

function announce({ status, versionBefore, version, brings, ended, warnings }: UpgradeResult, logger: Logger): void {
  if (status === 'unchanged') logger.info(`pgvector ${version} is what this server can have`)
  else logger.info(`pgvector updated from ${versionBefore} to ${version}`)
  for (const what of brings) logger.info(`  brings ${what}`)
  for (const { id, effect } of ended) logger.info(`  ends ${id}: ${effect}`)
  for (const warning of warnings) logger.warn(warning)
}

/** Rebuilds one index beside those who write, after what an earlier attempt left of it is gone. */
async function rebuild(db: Session, index: PendingIndex, log: LogOptions | false): Promise<readonly string[]> {
  return withHeldSession(
    db,
    () => undefined,
    (session) =>
      session.withSettings({ statement_timeout: '0', lock_timeout: '0' }, async () => {
        const started = performance.now()
        await dropLeftovers(session, index)
        // The embedded database has nobody who could be kept waiting.
        await session.send(`reindex index ${session.isEmbedded ? '' : 'concurrently '}${sendable(index.name)}`)
        const milliseconds = performance.now() - started
        return logChange(session, log, { event: 'index rebuilt', milliseconds, details: { ...index } })
      }),
  )
}

async function dropLeftovers(session: HeldSession, { oid }: PendingIndex): Promise<void> {
  const leftovers = await session.ask<
    readonly string[]
  >(`select coalesce(json_agg(format('%I.%I', n.nspname, c.relname)), '[]') as state
    from pg_catalog.pg_index wanted
    join pg_catalog.pg_class w on w.oid = wanted.indexrelid
    join pg_catalog.pg_index x on x.indrelid = wanted.indrelid and not ${isValidSql('x')}
    join pg_catalog.pg_class c on c.oid = x.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where wanted.indexrelid = ${oid} and ${isCopySql('c.relname')}
      and starts_with(c.relname, left(w.relname, 50))`)
  for (const name of leftovers) await session.send(`drop index concurrently if exists ${sendable(name)}`)
}
