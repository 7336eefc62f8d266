import { findingsOf, listed, statements, type Finding } from './finding.ts'
import type { Indexes, InvalidIndex } from './read-indexes.ts'

const { ok, warning, error: failure, unknown } = findingsOf('indexes')

/** Reports invalid and incomplete indexes. An index that is being built is not one of them. */
export function indexFindings({ vector, invalid, builds }: Indexes): Finding[] {
  const findings = [
    ...builds.map(({ processId, index, phase }) =>
      ok(
        `${index ?? 'an index'} is being built by the server process ${processId}${phase === null ? '' : ` (${phase})`}`,
      ),
    ),
    ...invalid.map(invalidFinding),
  ]
  if (invalid.length > 0) return findings
  const names = vector.map(({ name, method }) => `${name} (${method})`)
  return [
    ...findings,
    ok(names.length === 0 ? 'no index on vectors, and none that is invalid' : `all valid: ${listed(names)}`),
  ]
}

/** Rebuilds an invalid vector index, or drops the remains of a REINDEX, without blocking writes. */
const REPAIR = 'npx knex-pgvector index repair'

function invalidFinding(index: InvalidIndex): Finding {
  const { name, table, method, isInWork, isLeftover, isPartitioned } = index
  const isVector = method === 'hnsw' || method === 'ivfflat'
  const what = `the ${method} index ${name} on ${table}`
  if (isInWork)
    return unknown(`${what} is not valid yet: another session is building it`, 'Run this again when it has ended.')
  const level = isVector ? failure : warning
  if (isLeftover) {
    return warning(
      `${what} was left by a REINDEX CONCURRENTLY that was cut off, and only costs`,
      isVector ? REPAIR : `DROP INDEX CONCURRENTLY ${name};`,
    )
  }
  if (isPartitioned) return level(...incomplete(what, index, isVector))
  return level(
    `${what} is invalid: no query uses it, and CREATE INDEX IF NOT EXISTS skips it`,
    isVector ? REPAIR : `REINDEX INDEX CONCURRENTLY ${name};`,
  )
}

function incomplete(
  what: string,
  { name, method, definition, partitionsWithout }: InvalidIndex,
  isVector: boolean,
): [string, string] {
  if (partitionsWithout.length === 0) {
    return [
      `${what} is not valid, because that of a partition is not`,
      isVector
        ? REPAIR
        : 'Repair the indexes of its partitions first. If it stays invalid, drop it and create it again.',
    ]
  }
  const body = definition.slice(definition.indexOf(` USING ${method} `))
  return [
    `${what} is not valid: partitions without it are ${listed(partitionsWithout.map(({ table }) => table))}`,
    statements(
      partitionsWithout.map(
        ({ table, isPartitioned, index, qualifiedIndex }) =>
          `CREATE INDEX ${isPartitioned ? '' : 'CONCURRENTLY '}${index} ON ${table}${body}; ` +
          `ALTER INDEX ${name} ATTACH PARTITION ${qualifiedIndex};`,
      ),
    ),
  ]
}
