import type { VectorType } from './vector-types.ts'

/** The inputs that determine how much memory the graph of an HNSW index takes while it is built. */
export interface Graph {
  /** The indexed type: the type of the column, or of the index expression. */
  readonly type: Exclude<VectorType, 'sparsevec'>
  readonly dimensions: number
  /** The index's option m; default 16. */
  readonly m?: number
  /** Whether several processes build the index, in shared memory. */
  readonly isParallel: boolean
  /** The server's major version, which determines the overhead of each allocation. */
  readonly major: number
}

/** pgvector's default for m (hnsw.h). */
export const DEFAULT_M = 16

/** The release that introduced the memory layout below; 0.5 had a different one. */
export const GRAPH_MEMORY_SINCE = '0.6.0'

const MEBIBYTE = 1024 * 1024

// A parallel build reserves 3 MiB for other shared structures and 1 MiB for the rows in flight. A single process counts
// whole blocks of 1 MiB (hnswbuild.c).
const KEPT_BACK = 4 * MEBIBYTE
const BLOCK = MEBIBYTE

/**
 * The bytes of maintenance_work_mem that keep the whole graph of an HNSW index in memory during the build. With less,
 * the build continues on disk, in the index itself, and is many times slower.
 *
 * Computed from the sizes of pgvector's structures (hnsw.h, hnswutils.c) on a 64-bit server, 0.6.0 to 0.8.7. The levels
 * of the graph are drawn at random, so the result is an expected value; measurements were within 0.1 % of it.
 *
 * @example graphMemory(1_000_000, { type: 'vector', dimensions: 1536, isParallel: true, major: 17 }) // 6.8e9
 */
export function graphMemory(rows: number, graph: Graph): number {
  return Math.ceil(rows * bytesPerRow(graph) + (graph.isParallel ? KEPT_BACK : BLOCK))
}

// Larger than the rounding error for a billion rows, and far smaller than one row.
const ROUNDING = 1e-5

/** How many rows' graph fits into this many bytes of maintenance_work_mem. */
export function rowsInMemory(bytes: number, graph: Graph): number {
  const rows = (bytes - (graph.isParallel ? KEPT_BACK : 0)) / bytesPerRow(graph)
  return Math.max(0, Math.floor(rows + ROUNDING))
}

function bytesPerRow({ type, dimensions, m = DEFAULT_M, isParallel, major }: Graph): number {
  const levels = 1 / (m - 1)
  const element = 128 + 8 * (levels + 1)
  const neighbours = 8 + 32 * m + levels * (8 + 16 * m)
  const bytes = element + neighbours + Math.ceil(valueBytes[type](dimensions) / 8) * 8
  // In a single process, the element, its lists and its value each carry a header (GenerationContext).
  return isParallel ? bytes : bytes + (4 + levels) * (major >= 16 ? 8 : 24)
}

/** The bytes of one value, in memory and in a table. */
export const valueBytes = {
  vector: (dimensions) => 8 + 4 * dimensions,
  halfvec: (dimensions) => 8 + 2 * dimensions,
  bit: (dimensions) => 8 + Math.ceil(dimensions / 8),
} as const satisfies Record<Graph['type'], (dimensions: number) => number>
