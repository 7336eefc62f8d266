import { assess, type Requirements } from '../extension/assess.ts'
import type { PgvectorState } from '../extension/state.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import { identifier, qualified } from '../core/sql.ts'
import type { Reach } from './extension.ts'
import { findingsOf, listed, type Finding } from './finding.ts'

const { ok, warning, error: failure } = findingsOf('conflicts')

/** Reports other objects with names that pgvector uses, and whether they conflict with it. */
export function conflictFindings(state: PgvectorState, needs: Requirements, reach: Reach): Finding[] {
  const errors = assess(state, needs).errors.filter(({ code }) => code === 'TYPE_CONFLICT')
  const methods = state.accessMethods.map((method) => new PgvectorMigrationError('ACCESS_METHOD_CONFLICT', method))
  const findings = [
    ...[...errors, ...methods].map(({ message, hint }) => failure(message, hint)),
    ...shadowFindings(state, reach),
  ]
  return findings.length > 0 ? findings : [ok(harmless(state))]
}

// Another object of that name on the search path. SQL that uses the plain name vector refers to it.
function shadowFindings({ installed }: PgvectorState, { vector }: Reach): Finding[] {
  if (installed === null || vector === null || vector.extension === 'vector') return []
  const { name, extension } = vector
  const schema = identifier(installed.schema)
  return [
    warning(
      `vector means ${name}${extension === null ? '' : ` of the extension ${extension}`} on this search path, not the type in ${schema}`,
      `Say ${schema}.vector, or put ${schema} first on the search path.`,
    ),
  ]
}

function harmless({ lookalikes }: PgvectorState): string {
  if (lookalikes.length === 0) return 'nothing else has the name of a type or an access method of pgvector'
  const names = lookalikes.map(({ kind, schema, name }) => `${kind} ${qualified(schema, name)}`)
  return `not in the way, though named alike: ${listed(names)}`
}
