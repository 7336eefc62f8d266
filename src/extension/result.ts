import type { Logger } from '../core/options.ts'
import { identifier } from '../core/sql.ts'
import type { Requirements } from './assess.ts'
import { warningsFor } from './warnings.ts'
import { providers, type ProviderName } from '../pgvector/providers.ts'
import type { Glance } from './state.ts'
import { planStorage, type DimensionStorage } from '../pgvector/storage.ts'

/** What {@link ensurePgvector} found or did. */
export interface EnsureResult {
  /** `unchanged`: nothing was sent but one query. */
  readonly status: 'created' | 'updated' | 'unchanged'
  /** The version of the extension's SQL objects, as the server reports it. */
  readonly version: string
  /** The schema it is in, which may be another one than was asked for. */
  readonly schema: string
  /** The server's version, as it was when this Knex instance looked first. */
  readonly server: string
  /** The host, recognised for messages only. */
  readonly provider: ProviderName
  /** How each of the `dimensions` is stored and indexed by this version. */
  readonly dimensions: readonly DimensionStorage[]
  /** What works but should be known. */
  readonly warnings: readonly string[]
}

/** Turns what was read last into the answer; `found` are the warnings of the change itself. */
export function resultOf(
  seen: Glance,
  needs: Requirements,
  status: EnsureResult['status'],
  found: readonly string[] = [],
): EnsureResult {
  const { installed, server, provider } = seen
  if (installed === null) throw new Error('a result was asked for before pgvector was enabled')
  const { version, schema } = installed
  const dimensions = planStorage(needs.dimensions, version)
  const unindexed = dimensions.filter(({ index }) => index === null)
  const warnings = [
    ...found,
    ...warningsFor(seen, needs),
    ...unindexed.map(({ dimensions: count, note }) => `${count} dimensions: ${note}.`),
  ]
  return { status, version, schema, server: server.version, provider, dimensions, warnings }
}

const said = { created: 'enabled', updated: 'updated', unchanged: 'already enabled' } as const

/** Tells people what happened, once it is committed. */
export function announce(result: EnsureResult, logger: Logger): void {
  const { version, status, schema, server, provider } = result
  const where = server.split(' ')[0] ?? server
  const host = provider === 'stock' ? '' : `, ${providers[provider].title}`
  logger.info(`pgvector ${version} ${said[status]} in the schema ${identifier(schema)} (PostgreSQL ${where}${host})`)
  for (const warning of result.warnings) logger.warn(warning)
}
