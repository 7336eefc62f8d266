import { remedies } from '../pgvector/providers.ts'
import { advisoriesFor, type Advisory } from '../pgvector/releases.ts'
import type { PgvectorState } from '../extension/state.ts'
import { newest } from '../pgvector/version.ts'
import { findingsOf, statements, type Finding } from './finding.ts'
import type { VectorIndex } from './read-indexes.ts'

const { ok, warning } = findingsOf('advisories')

type Facts = Pick<PgvectorState, 'installed' | 'available' | 'provider'>

const UPDATE = 'ALTER EXTENSION vector UPDATE;'

// The remedies of providers end with an option of ensurePgvector, which a diagnosis does not have.
const AGAIN = /[,;] then run this again with \{ update: true \}\.$/

/**
 * Reports the known defects of the release in use.
 *
 * This is the release of the library, and the control file's version is closest to it. extversion is the version of the
 * SQL objects, which may be older than a library that has been fixed. Indexes that were built before may still need a
 * rebuild.
 */
export function advisoryFindings(state: Facts, indexes: readonly VectorIndex[]): Finding[] {
  const { installed, available } = state
  if (installed === null) return []
  const library = available?.defaultVersion ?? installed.version
  const present = advisoriesFor(library)
  const fixed = advisoriesFor(installed.version).filter(({ id }) => !present.some((each) => each.id === id))
  const findings = [
    ...present.map((advisory) => presentFinding(advisory, library, state, indexes)),
    ...fixed.flatMap((advisory) => fixedFindings(advisory, library, indexes)),
  ]
  return findings.length > 0 ? findings : [ok(`pgvector ${library} has no known problems`)]
}

function presentFinding(
  advisory: Advisory,
  library: string,
  { provider }: Facts,
  indexes: readonly VectorIndex[],
): Finding {
  const { id, kind, effect, fixedIn } = advisory
  const wanted = newest(advisoriesFor(library).map((each) => each.fixedIn)) ?? fixedIn
  const host = remedies(provider).versionTooLow?.replace(AGAIN, `; then: ${UPDATE}`)
  const update = host ?? `Install pgvector ${wanted} or newer on the database server, reconnect, then: ${UPDATE}`
  const rebuild = rebuilding(advisory, indexes)
  return warning(
    `${id} (${kind}): ${effect}; fixed in ${fixedIn}, the server has ${library}`,
    rebuild === null ? update : `${update}\n-- then, where an index shows it\n${rebuild}`,
  )
}

function fixedFindings(advisory: Advisory, library: string, indexes: readonly VectorIndex[]): Finding[] {
  const rebuild = rebuilding(advisory, indexes)
  if (rebuild === null) return []
  const { id, kind, effect } = advisory
  return [
    warning(
      `${id} (${kind}): ${effect}; the server has ${library}, where it is fixed; older indexes may keep it`,
      rebuild,
    ),
  ]
}

function rebuilding({ reindex }: Advisory, indexes: readonly VectorIndex[]): string | null {
  const affected = indexes.filter(({ method }) => method === reindex)
  return affected.length === 0 ? null : statements(affected.map(({ name }) => `REINDEX INDEX CONCURRENTLY ${name};`))
}
