import { isAtLeast } from '../../pgvector/version.ts'
import { graphMemory, GRAPH_MEMORY_SINCE, rowsInMemory, valueBytes, type Graph } from '../../pgvector/graph-memory.ts'
import { LEAST_FOR_PARALLEL } from './in-memory.ts'
import type { IndexFacts, TableFacts } from '../look/facts.ts'
import { isWorthSeveralProcesses } from '../look/server-load.ts'
import type { VectorIndex } from '../vector-index.ts'

/** The settings of the session that builds, and their basis. */
export interface BuildSettings {
  /** In bytes. */
  readonly maintenanceWorkMemory: number
  /** The number of workers, in addition to the process that builds. */
  readonly workers: number
  /** Whether there is one worker fewer than possible, because other sessions are active. */
  readonly leavesProcessor: boolean
  /**
   * Lowered if the table itself is small but its vectors are stored out of line, so that several processes build;
   * otherwise null.
   */
  readonly minParallelScan: number | null
  /** The bytes needed to do everything in memory; null if unknown (pgvector before 0.6.0). */
  readonly neededMemory: number | null
  /** The row after which the graph of an HNSW index no longer fits; null if it fits completely. */
  readonly spillsAfter: number | null
}

/** The limits that a caller can set. */
export interface BuildLimits {
  /**
   * The most memory that the build may use, in bytes; default: the larger of maintenance_work_mem and shared_buffers.
   */
  readonly maxMemory?: number | undefined
  /**
   * The maximum number of parallel workers, in addition to the process that builds. The default is the server's
   * max_parallel_maintenance_workers, limited so that all processes together do not exceed the processors. If other
   * sessions are active, one processor is left to them. These limits apply if the numbers are known.
   */
  readonly workers?: number | undefined
}

const MEBIBYTE = 1024 * 1024

// Rows inserted during the build need memory too, and the number of rows may be an estimate.
const MARGIN = 1.1

/** Plans memory and processes: enough for the whole graph if that is allowed, and no more than needed. */
export function planSettings(
  facts: IndexFacts,
  table: TableFacts,
  index: VectorIndex,
  lists: number | undefined,
  limits: BuildLimits,
): BuildSettings {
  const { maintenanceWorkMemory: usual, sharedBuffers } = facts.settings
  const allowed = floorMebibyte(limits.maxMemory ?? Math.max(usual, sharedBuffers))
  const helpers = planHelpers(facts, table, index, limits)
  const needs = (isParallel: boolean): number | null => neededMemory(facts, table, index, lists, isParallel)
  const wanted = Math.max(usual, ceilMebibyte((needs(helpers.workers > 0) ?? allowed) * MARGIN))
  const enough = helpers.workers > 0 ? Math.max(wanted, LEAST_FOR_PARALLEL) : wanted
  const maintenanceWorkMemory = Math.min(allowed, enough)
  const isParallel = helpers.workers > 0 && maintenanceWorkMemory >= LEAST_FOR_PARALLEL
  return {
    maintenanceWorkMemory,
    workers: isParallel ? helpers.workers : 0,
    leavesProcessor: helpers.leavesProcessor,
    minParallelScan: isParallel ? helpers.minParallelScan : null,
    neededMemory: needs(isParallel),
    spillsAfter: spillsAfter(facts, index, maintenanceWorkMemory, isParallel),
  }
}

function planHelpers(
  facts: IndexFacts,
  { heapBytes, totalBytes, isTemporary, parallelWorkers }: TableFacts,
  { method }: VectorIndex,
  limits: BuildLimits,
): Pick<BuildSettings, 'workers' | 'leavesProcessor' | 'minParallelScan'> {
  const { extension, settings } = facts
  const isSerialRelease = method === 'hnsw' && !isAtLeast(extension?.version ?? '', GRAPH_MEMORY_SINCE)
  if (isTemporary || isSerialRelease || !isWorthSeveralProcesses(totalBytes)) {
    return { workers: 0, leavesProcessor: false, minParallelScan: null }
  }
  const most = parallelWorkers ?? Number.POSITIVE_INFINITY
  const alone = Math.min(usefulWorkers(facts, 0), most)
  const workers = Math.min(limits.workers ?? usefulWorkers(facts, facts.othersAtWork.length > 0 ? 1 : 0), most)
  // PostgreSQL considers only the main table, but long vectors are stored out of line.
  const isTooSmallAlone = heapBytes < settings.minParallelScan && parallelWorkers === null
  return {
    workers,
    leavesProcessor: limits.workers === undefined && workers < alone,
    minParallelScan: isTooSmallAlone ? 0 : null,
  }
}

/**
 * Returns as many as the server allows and has processors for. More would compete with each other, and with all other
 * sessions.
 */
function usefulWorkers({ settings, processors }: IndexFacts, left: number): number {
  if (processors === null) return settings.maintenanceWorkers
  return Math.max(0, Math.min(settings.maintenanceWorkers, processors - 1 - left))
}

function neededMemory(
  facts: IndexFacts,
  table: TableFacts,
  index: VectorIndex,
  lists: number | undefined,
  isParallel: boolean,
): number | null {
  if (index.method === 'ivfflat') return listMemory(facts, lists ?? 1, index, table)
  if (!isAtLeast(facts.extension?.version ?? '', GRAPH_MEMORY_SINCE)) return null
  return graphMemory(facts.rows, graphOf(facts, index, isParallel))
}

function spillsAfter(facts: IndexFacts, index: VectorIndex, memory: number, isParallel: boolean): number | null {
  const { rows, extension } = facts
  if (index.method === 'ivfflat' || !isAtLeast(extension?.version ?? '', GRAPH_MEMORY_SINCE)) return null
  const fitting = rowsInMemory(memory, graphOf(facts, index, isParallel))
  return fitting < rows ? fitting : null
}

const USUAL_SPARSE_BYTES = 16 + 8 * 100

/** Returns the bytes of an indexed value in memory, on average. */
export function indexedBytes({ valueBytes: measured }: Pick<IndexFacts, 'valueBytes'>, index: VectorIndex): number {
  const { storage, column } = index
  return storage.type === 'sparsevec'
    ? (measured ?? USUAL_SPARSE_BYTES)
    : valueBytes[storage.type](column.dimensions ?? 0)
}

function graphOf(facts: IndexFacts, index: VectorIndex, isParallel: boolean): Graph {
  const { server } = facts
  const { storage, column, parameters } = index
  const common = { isParallel, major: server.major, ...(parameters.m === undefined ? {} : { m: parameters.m }) }
  const dimensions = column.dimensions ?? 0
  // A sparsevec of this many bytes needs as much memory as a vector of that length.
  return storage.type === 'sparsevec'
    ? { ...common, type: 'vector', dimensions: Math.ceil((indexedBytes(facts, index) - 8) / 4) }
    : { ...common, type: storage.type, dimensions }
}

const itemBytes = { vector: 4, halfvec: 2, bit: 1 / 8, sparsevec: 8 } as const

// Older releases allocate memory for the maximum number of samples, even on a small table. Seen with 0.8.0 and 0.8.7.
const SAMPLES_BOUNDED_SINCE = '0.8.7'

/**
 * Returns the memory that the k-means of an ivfflat index needs at once (ivfbuild.c, ivfkmeans.c), without which the
 * server refuses to build. It also returns what sorting all rows by their list needs to stay in memory.
 */
function listMemory(
  { rows, extension }: IndexFacts,
  lists: number,
  { storage, column }: VectorIndex,
  table: TableFacts,
): number {
  const dimensions = column.dimensions ?? 0
  const item = 8 + Math.ceil((dimensions * itemBytes[storage.type]) / 8) * 8
  const wanted = Math.max(10_000, lists * 50)
  const isBounded = isAtLeast(extension?.version ?? '', SAMPLES_BOUNDED_SINCE)
  const samples = isBounded ? Math.min(wanted, Math.max(rows, Math.ceil(table.heapBytes / 8192) * 291)) : wanted
  const centers = lists * item * 2 + 4 * lists * dimensions
  const distances = 4 * samples * lists + 4 * lists * lists + 12 * samples + 12 * lists
  return Math.max(centers + samples * item + distances, rows * (item + 48))
}

function floorMebibyte(bytes: number): number {
  return Math.max(1, Math.floor(bytes / MEBIBYTE)) * MEBIBYTE
}

function ceilMebibyte(bytes: number): number {
  return Math.ceil(bytes / MEBIBYTE) * MEBIBYTE
}
