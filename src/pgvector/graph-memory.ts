import type { VectorType } from './vector-types.ts'

/** What decides how much memory the graph of an HNSW index takes while it is built. */
export interface Graph {
  /** The type that is indexed: that of the column, or of the expression. */
  readonly type: Exclude<VectorType, 'sparsevec'>
  readonly dimensions: number
  /** The index's option m; default 16. */
  readonly m?: number
  /** Whether several processes build it, in shared memory. */
  readonly isParallel: boolean
  /** The server's major version: it decides what an allocation costs beside its content. */
  readonly major: number
}

/** What pgvector takes by default for m (hnsw.h). */
export const DEFAULT_M = 16

/** The release that brought the memory layout below; 0.5 had another one. */
export const GRAPH_MEMORY_SINCE = '0.6.0'

const MEBIBYTE = 1024 * 1024

// A parallel build keeps 3 MiB of the memory back for other things that are shared, and 1 MiB for what is under way; one
// process counts whole blocks of 1 MiB (hnswbuild.c).
const KEPT_BACK = 4 * MEBIBYTE
const BLOCK = MEBIBYTE

/**
 * The bytes of maintenance_work_mem that keep the whole graph of an HNSW index in memory while it is built; with less,
 * the build goes on in the index itself, many times slower.
 *
 * The sizes of pgvector's structures (hnsw.h, hnswutils.c) on a 64-bit server, 0.6.0 to 0.8.7. The levels of the graph
 * are drawn at random, so it is an expectation: within 0.1 % of what was measured.
 *
 * @example graphMemory(1_000_000, { type: 'vector', dimensions: 1536, isParallel: true, major: 17 }) // 6.8e9
 */
export function graphMemory(rows: number, graph: Graph): number {
  return Math.ceil(rows * bytesPerRow(graph) + (graph.isParallel ? KEPT_BACK : BLOCK))
}

// More than what is rounded off in computing with a thousand million rows, and far less than a row.
const ROUNDING = 1e-5

/** How many rows' graph fits into so many bytes of maintenance_work_mem. */
export function rowsInMemory(bytes: number, graph: Graph): number {
  const rows = (bytes - (graph.isParallel ? KEPT_BACK : 0)) / bytesPerRow(graph)
  return Math.max(0, Math.floor(rows + ROUNDING))
}

function bytesPerRow({ type, dimensions, m = DEFAULT_M, isParallel, major }: Graph): number {
  const levels = 1 / (m - 1)
  const element = 128 + 8 * (levels + 1)
  const neighbours = 8 + 32 * m + levels * (8 + 16 * m)
  const bytes = element + neighbours + Math.ceil(valueBytes[type](dimensions) / 8) * 8
  // Memory of one process carries a header for each of the element, its lists and its value (GenerationContext).
  return isParallel ? bytes : bytes + (4 + levels) * (major >= 16 ? 8 : 24)
}

/** What a value takes, in memory and in a table. */
export const valueBytes = {
  vector: (dimensions) => 8 + 4 * dimensions,
  halfvec: (dimensions) => 8 + 2 * dimensions,
  bit: (dimensions) => 8 + Math.ceil(dimensions / 8),
} as const satisfies Record<Graph['type'], (dimensions: number) => number>
