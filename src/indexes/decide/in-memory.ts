import { GRAPH_MEMORY_SINCE, graphMemory, rowsInMemory, type Graph } from '../../pgvector/graph-memory.ts'
import { isAtLeast } from '../../pgvector/version.ts'
import type { ServerSettings } from '../look/settings.ts'

const MEBIBYTE = 1024 * 1024

/** Below this much maintenance_work_mem PostgreSQL gives a build no workers: 32 MB for each (plan_create_index_workers). */
export const LEAST_FOR_PARALLEL = 64 * MEBIBYTE

/** The graph of an HNSW index that PostgreSQL would build with the settings of this session. */
export interface GraphToBuild extends Pick<Graph, 'type' | 'dimensions' | 'm'> {
  readonly rows: number
  /** Bytes of the table itself, which decide whether several processes read it. */
  readonly tableSize: number
}

/** Which release of PostgreSQL and of pgvector builds. */
export interface Builder {
  readonly major: number
  readonly pgvector: string
}

/** What a graph takes of maintenance_work_mem. */
export interface GraphMemory {
  /** Bytes with which all of it is built in memory. */
  readonly needed: number
  /** Whether maintenance_work_mem is that much. */
  readonly fits: boolean
  /** The rows whose graph fits. */
  readonly fittingRows: number
}

/** Whether an HNSW index is built in memory; null where that is not known: pgvector before 0.6.0 had another layout. */
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

/** Whether all of an index that is there fits into shared_buffers, from where searches are quick. */
export function isCached(bytes: number, { sharedBuffers }: Pick<ServerSettings, 'sharedBuffers'>): boolean {
  return bytes <= sharedBuffers
}
