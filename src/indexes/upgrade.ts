import { PgvectorMigrationError } from '../core/errors.ts'
import { loggerFrom } from '../database/logger.ts'
import { advisoriesFor, broughtBetween, endedBetween, type Advisory } from '../pgvector/releases.ts'
import { updateExtension, type Update } from '../extension/update.ts'
import { extensionOptions, versionOption, type Logger, type LogOptions } from '../core/options.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import type { Duration } from '../core/durations.ts'
import { afterChanges } from './build/errors.ts'
import { buildOptions } from './build/options.ts'
import { rebuildConcurrently } from './rebuild.ts'

/** Options of {@link upgradePgvector}. */
export interface UpgradeOptions {
  /** The version to update to; default: the newest that the server has files of. */
  readonly to?: string | undefined
  /** Rebuild the indexes named by an advisory that the update fixes, without blocking writes; default false. */
  readonly reindex?: boolean | undefined
  /**
   * How long to wait for another session that is changing pgvector and, with `reindex`, for sessions that use a table,
   * in milliseconds or like '60s'; default 60000.
   */
  readonly wait?: Duration | undefined
  /** Stops the rebuild of indexes. */
  readonly signal?: AbortSignal | undefined
  /** Where messages go; default: the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /**
   * Where the migration log is kept; `false` writes none, and later runs do not know which indexes still need a
   * rebuild.
   */
  readonly log?: LogOptions | false | undefined
}

/** The result of {@link upgradePgvector}. */
export interface UpgradeResult {
  readonly status: 'updated' | 'unchanged'
  readonly versionBefore: string
  readonly version: string
  readonly schema: string
  /** What the releases in between introduced: 0.8.0: iterative index scans … */
  readonly brings: readonly string[]
  /** The defects of the previous version that are fixed now. */
  readonly ended: readonly Advisory[]
  /** The known defects of the version that is installed now. */
  readonly remaining: readonly Advisory[]
  /** Indexes that still need a rebuild, with their schema. */
  readonly toRebuild: readonly string[]
  /** Indexes that were rebuilt now. */
  readonly rebuilt: readonly string[]
  readonly warnings: readonly string[]
}

/** @internal */
export const upgradeOptions = lazySchema((z) =>
  extensionOptions().extend({
    ...buildOptions().pick({ signal: true }).shape,
    to: versionOption().optional(),
    reindex: z.boolean('must be true or false').default(false),
  }),
)

/**
 * Updates the extension, and reports what the update brings and which advisories it fixes. With `reindex`, it rebuilds
 * the indexes that these advisories name. After an interruption, the next call continues with the remaining indexes.
 *
 * @example const { version, ended, toRebuild } = await upgradePgvector(knex, { reindex: true })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, PGVECTOR_NOT_ENABLED, PGVECTOR_DOWNGRADE, PGVECTOR_NO_UPDATE_PATH,
 * INSUFFICIENT_PRIVILEGE, READ_ONLY, LOCK_TIMEOUT, TABLE_BUSY, INDEX_BUILD_FAILED, VERIFICATION_FAILED or SESSION_SHARED.
 */
export async function upgradePgvector(db: Database, options: UpgradeOptions = {}): Promise<UpgradeResult> {
  const needs = parseOptions(upgradeOptions, options)
  const session = sessionOf(db)
  if (needs.reindex && session.isInTransaction) {
    const problems = ['reindex: indexes can be rebuilt without blocking writes only outside a transaction']
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  const logger = loggerFrom(needs.logger)
  const update = await updateExtension(session, needs)
  const rebuilt: string[] = []
  const warnings = [...update.warnings]
  if (needs.reindex) {
    for (const index of update.pending) {
      logger.info(`rebuilding ${index.name}`)
      const rebuild = { name: index.name, work: 'reindex', details: { ...index } } as const
      const changed = [
        ...(update.before === update.after ? [] : [`pgvector was updated from ${update.before} to ${update.after}`]),
        ...rebuilt.map((name) => `${name} was rebuilt`),
      ]
      const done = rebuildConcurrently(session, rebuild, needs, logger).catch((error: unknown) => {
        throw afterChanges(error, changed)
      })
      warnings.push(...(await done))
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
  const advice = toRebuild.map((name) => `Needs a rebuild: REINDEX INDEX CONCURRENTLY ${name};`)
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
  if (status === 'unchanged') logger.info(`pgvector ${version} is the newest version on this server`)
  else logger.info(`pgvector updated from ${versionBefore} to ${version}`)
  for (const what of brings) logger.info(`  brings ${what}`)
  for (const { id, effect } of ended) logger.info(`  fixes ${id}: ${effect}`)
  for (const warning of warnings) logger.warn(warning)
}
