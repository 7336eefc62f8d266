import { bytesIn, mebibytes, memoryText } from '../core/sizes.ts'
import { typeLimits } from '../pgvector/limits.ts'
import { isAtLeast } from '../pgvector/version.ts'
import type { PgvectorState } from '../extension/state.ts'
import { GRAPH_MEMORY_SINCE, graphMemory, rowsInMemory, type Graph } from '../pgvector/graph-memory.ts'
import type { BuildSettings, TableGraph } from './build-settings.ts'
import { findingsOf, type Finding } from './finding.ts'

const { ok, warning, unknown } = findingsOf('settings')

/** Below this much maintenance_work_mem PostgreSQL gives a build no workers (plan_create_index_workers). */
const PARALLEL_MEMORY = 64 * bytesIn.MB

/** What Docker gives a container for /dev/shm unless told otherwise, in MB. */
const DOCKER_SHARED_MEMORY = 64

type Facts = Pick<PgvectorState, 'installed' | 'server' | 'provider'>

/** Whether the builds that may come fit into maintenance_work_mem. */
export function settingsFindings(facts: Facts, settings: BuildSettings): Finding[] {
  const { installed, server } = facts
  const { maintenanceMemory: memory, maintenanceWorkers, graphs } = settings
  const summary = `maintenance_work_mem ${memoryText(memory)}, max_parallel_maintenance_workers ${maintenanceWorkers}`
  if (installed === null || !isAtLeast(installed.version, GRAPH_MEMORY_SINCE) || graphs.length === 0)
    return [ok(summary)]
  const needs = graphs
    .map((graph) => ({ graph, need: graphMemory(graph.rows, shapeOf(graph, settings, server.major)) }))
    .filter(({ need }) => need > memory)
    .toSorted((left, right) => right.need - left.need)
  const [largest] = needs
  if (largest === undefined) {
    return [
      ok(`${summary}: enough for every HNSW index here`),
      ...containerFindings(facts, settings, mebibytes(memory)),
    ]
  }
  const { graph, need } = largest
  const fitting = rowsInMemory(memory, shapeOf(graph, settings, server.major))
  const others = needs.length === 1 ? '' : `; ${needs.length - 1} more would not fit either`
  const wanted = Math.min(mebibytes(need), Math.floor(settings.mostMemory / bytesIn.MB))
  return [
    warning(
      `${summary}: ${describe(graph)} needs about ${memoryText(need)} to be built in memory, and ` +
        `${fitting.toLocaleString('en')} of its ${graph.rows.toLocaleString('en')} rows fit${others}`,
      `SET maintenance_work_mem = '${wanted}MB'; -- before the next build or reindex, if the server has the memory`,
    ),
    ...containerFindings(facts, settings, wanted),
  ]
}

// With `wanted` MB of maintenance_work_mem. No view shows how large /dev/shm is, nor whether this is a container.
function containerFindings({ provider }: Facts, settings: BuildSettings, wanted: number): Finding[] {
  const { sharedMemory, maintenanceWorkers } = settings
  const isInQuestion = provider === 'stock' && sharedMemory === 'posix' && maintenanceWorkers > 0
  if (!isInQuestion || wanted <= DOCKER_SHARED_MEMORY) return []
  return [
    unknown(
      `a parallel build takes its memory from /dev/shm, whose size SQL does not tell; Docker gives ${DOCKER_SHARED_MEMORY} MB by default`,
      `In Docker: --shm-size=${wanted + DOCKER_SHARED_MEMORY}m`,
    ),
  ]
}

function shapeOf(graph: TableGraph, settings: BuildSettings, major: number): Graph {
  const { maintenanceMemory, maintenanceWorkers, parallelTableSize } = settings
  const isParallel =
    maintenanceWorkers > 0 && graph.tableSize >= parallelTableSize && maintenanceMemory >= PARALLEL_MEMORY
  const { dimensions, m } = graph
  return { type: indexedType(graph), dimensions, m, isParallel, major }
}

// In the order of what they lose. A column of more dimensions than an index takes is indexed as one that takes more.
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
