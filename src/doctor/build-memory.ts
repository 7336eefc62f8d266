import { bytesIn, mebibytes, memoryText } from '../core/sizes.ts'
import { typeLimits } from '../pgvector/vector-types.ts'
import { memoryToBuild } from '../indexes/decide/in-memory.ts'
import type { PgvectorState } from '../extension/state.ts'
import type { Graph } from '../pgvector/graph-memory.ts'
import type { BuildFacts, TableGraph } from './build-facts.ts'
import { findingsOf, type Finding } from './finding.ts'

const { ok, warning, unknown } = findingsOf('settings')

/** Docker's default size of /dev/shm, in MB. */
const DOCKER_SHARED_MEMORY = 64

type Facts = Pick<PgvectorState, 'installed' | 'server' | 'provider'>

/** Reports whether possible builds fit into maintenance_work_mem. */
export function settingsFindings(facts: Facts, settings: BuildFacts): Finding[] {
  const { installed, server } = facts
  const { maintenanceWorkMemory: memory, maintenanceWorkers } = settings.settings
  const summary = `maintenance_work_mem ${memoryText(memory)}, max_parallel_maintenance_workers ${maintenanceWorkers}`
  const builder = { major: server.major, pgvector: installed?.version ?? '' }
  const known = settings.graphs.flatMap((graph) => {
    const needs = memoryToBuild({ ...graph, type: indexedType(graph) }, settings.settings, builder)
    return needs === null ? [] : [{ graph, ...needs }]
  })
  if (known.length === 0) return [ok(summary)]
  const needs = known.filter(({ fits }) => !fits).toSorted((left, right) => right.needed - left.needed)
  const [largest] = needs
  if (largest === undefined) {
    return [
      ok(`${summary}: enough for every HNSW index here`),
      ...containerFindings(facts, settings, mebibytes(memory)),
    ]
  }
  const { graph, needed, fittingRows } = largest
  const others = needs.length === 1 ? '' : `; ${needs.length - 1} more would not fit either`
  const wanted = Math.min(mebibytes(needed), Math.floor(settings.mostMemory / bytesIn.MB))
  return [
    warning(
      `${summary}: ${describe(graph)} needs about ${memoryText(needed)} to be built in memory, and ` +
        `${fittingRows.toLocaleString('en')} of its ${graph.rows.toLocaleString('en')} rows fit${others}`,
      `SET maintenance_work_mem = '${wanted}MB'; -- before the next build or reindex, if the server has the memory`,
    ),
    ...containerFindings(facts, settings, wanted),
  ]
}

// With `wanted` MB of maintenance_work_mem. No view shows the size of /dev/shm, or whether this is a container.
function containerFindings({ provider }: Facts, settings: BuildFacts, wanted: number): Finding[] {
  const { sharedMemory } = settings
  const { maintenanceWorkers } = settings.settings
  const isInQuestion = provider === 'stock' && sharedMemory === 'posix' && maintenanceWorkers > 0
  if (!isInQuestion || wanted <= DOCKER_SHARED_MEMORY) return []
  return [
    unknown(
      `a parallel build takes its memory from /dev/shm, whose size SQL does not tell; Docker gives ${DOCKER_SHARED_MEMORY} MB by default`,
      `In Docker: --shm-size=${wanted + DOCKER_SHARED_MEMORY}m`,
    ),
  ]
}

// Ordered by what they lose. A column with too many dimensions for a type is indexed as one that supports more.
const narrower = ['vector', 'halfvec', 'bit'] as const

function indexedType({ type, dimensions }: TableGraph): Graph['type'] {
  const candidates = narrower.slice(narrower.indexOf(type))
  return candidates.find((each) => dimensions <= typeLimits[each].hnsw) ?? 'bit'
}

function describe(graph: TableGraph): string {
  const { index, table, column, dimensions, m } = graph
  const what = index === null ? `an HNSW index on ${table}.${column}` : `the index ${index} on ${table}`
  return `${what} (${indexedType(graph)}(${dimensions}), m = ${m})`
}
