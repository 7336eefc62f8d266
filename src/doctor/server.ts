import { PgvectorMigrationError } from '../core/errors.ts'
import { providers } from '../pgvector/providers.ts'
import type { PgvectorState } from '../extension/state.ts'
import { MIN_POSTGRES_MAJOR } from '../core/options.ts'
import { findingsOf, type Finding } from './finding.ts'
import { endOfLife } from './postgres-releases.ts'

const server = findingsOf('server')
const provider = findingsOf('provider')

type Facts = Pick<PgvectorState, 'server' | 'readOnly' | 'installed' | 'provider'>

/**
 * Reports the server's version, whether it still gets fixes, and whether it accepts writes. `today` is an ISO 8601
 * date.
 */
export function serverFindings(state: Facts, today: string): Finding[] {
  return [versionFinding(state, today), ...readOnlyFindings(state)]
}

function versionFinding({ server: { version, major } }: Facts, today: string): Finding {
  if (major < MIN_POSTGRES_MAJOR) {
    const { message, hint } = new PgvectorMigrationError('POSTGRES_TOO_OLD', {
      version,
      requiredMajor: MIN_POSTGRES_MAJOR,
    })
    return server.error(message, hint)
  }
  const end = endOfLife(major)
  if (end === null) return server.ok(`PostgreSQL ${version}`)
  return end <= today
    ? server.warning(
        `PostgreSQL ${version} has had no fixes since ${end}`,
        'Upgrade the server to a newer major version (pg_upgrade, or the console of your host).',
      )
    : server.ok(`PostgreSQL ${version}, which gets fixes until ${end}`)
}

function readOnlyFindings({ readOnly, installed }: Facts): Finding[] {
  if (readOnly === null) return []
  const { message, hint } = new PgvectorMigrationError('READ_ONLY', readOnly)
  return [installed === null ? server.error(message, hint) : server.warning(message, hint)]
}

export function providerFindings({ provider: name }: Facts): Finding[] {
  return [
    provider.ok(
      name === 'stock'
        ? 'no managed host recognised: remedies are those of a stock PostgreSQL'
        : `${providers[name].title}: remedies are those of this host`,
    ),
  ]
}
