import { GRAPH_MEMORY_SINCE, graphMemory, rowsInMemory, type Graph } from '../../pgvector/graph-memory.ts'
import { isAtLeast } from '../../pgvector/version.ts'
import type { ServerSettings } from '../look/settings.ts'

const MEBIBYTE = 1024 * 1024

/**
 * With less maintenance_work_mem, PostgreSQL gives a build no workers: it requires 32 MB for each
 * (plan_create_index_workers).
 */
export const LEAST_FOR_PARALLEL = 64 * MEBIBYTE

/** The graph of an HNSW index that PostgreSQL would build with the settings of this session. */
export interface GraphToBuild extends Pick<Graph, 'type' | 'dimensions' | 'm'> {
  readonly rows: number
  /** The bytes of the table itself, which determine whether several processes read it. */
  readonly tableSize: number
}

/** The releases of PostgreSQL and pgvector that build the index. */
export interface Builder {
  readonly major: number
  readonly pgvector: string
}

/** How much maintenance_work_mem a graph needs. */
export interface GraphMemory {
  /** The bytes needed to build all of it in memory. */
  readonly needed: number
  /** Whether maintenance_work_mem is large enough. */
  readonly fits: boolean
  /** The number of rows whose graph fits. */
  readonly fittingRows: number
}

/**
 * Returns whether an HNSW index is built in memory; null if unknown, because pgvector before 0.6.0 had a different
 * layout.
 */
export function memoryToBuild(graph: GraphToBuild, settings: ServerSettings, builder: Builder): GraphMemory | null {
  if (!isAtLeast(builder.pgvector, GRAPH_MEMORY_SINCE)) return null
  const { maintenanceWorkMemory, maintenanceWorkers, minParallelScan } = settings
  const isParallel =
    maintenanceWorkers > 0 && graph.tableSize >= minParallelScan && maintenanceWorkMemory >= LEAST_FOR_PARALLEL
  const { type, dimensions, m } = graph
  const shape: Graph = { type, dimensions, ...(m === undefined ? {} : { m }), isParallel, major: builder.major }
  const needed = graphMemory(graph.rows, shape)
  return { needed, fits: needed <= maintenanceWorkMemory, fittingRows: rowsInMemory(maintenanceWorkMemory, shape) }
}

/** Whether an existing index fits completely into shared_buffers, where searches are fast. */
export function isCached(bytes: number, { sharedBuffers }: Pick<ServerSettings, 'sharedBuffers'>): boolean {
  return bytes <= sharedBuffers
}
