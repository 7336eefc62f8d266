import type { Logger } from '../core/options.ts'
import { identifier } from '../core/sql.ts'
import type { Requirements } from './assess.ts'
import { advisoryWarnings, warningsFor } from './warnings.ts'
import { providers, type ProviderName } from '../pgvector/providers.ts'
import type { Glance } from './state.ts'
import { planStorage, type DimensionStorage } from '../pgvector/storage.ts'

/** The result of {@link ensurePgvector}. */
export interface EnsureResult {
  /** `unchanged`: only one query was sent. */
  readonly status: 'created' | 'updated' | 'unchanged'
  /** The version of the extension's SQL objects, as the server reports it. */
  readonly version: string
  /** The extension's schema, which may differ from the requested one. */
  readonly schema: string
  /** The server's version, when this Knex instance first read it. */
  readonly server: string
  /** The provider, recognised for messages only. */
  readonly provider: ProviderName
  /** How this version stores and indexes each of the `dimensions`. */
  readonly dimensions: readonly DimensionStorage[]
  /** Problems that do not prevent the use of pgvector. */
  readonly warnings: readonly string[]
}

/** Converts the last state that was read into the result; `found` are the warnings of the change itself. @internal */
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

/**
 * Prints what happened, after the commit. Known problems of the release are not repeated at every start of an application:
 * they are in the result, and `doctor` shows them. @internal
 */
export function announce(result: EnsureResult, logger: Logger, isThorough: boolean): void {
  const { version, status, schema, server, provider } = result
  const where = server.split(' ')[0] ?? server
  const host = provider === 'stock' ? '' : `, ${providers[provider].title}`
  logger.info(`pgvector ${version} ${said[status]} in the schema ${identifier(schema)} (PostgreSQL ${where}${host})`)
  const known = new Set(status === 'unchanged' && !isThorough ? advisoryWarnings(version) : [])
  for (const warning of result.warnings.filter((each) => !known.has(each))) logger.warn(warning)
}
