import { DEFAULT_M } from './graph-memory.ts'
import type { IndexMethod } from './index-methods.ts'

/** The pages of an index on disk. */
export interface IndexPages {
  readonly bytes: number
  /** The bytes of these pages without the gap in each, which is what the WAL contains. */
  readonly usedBytes: number
}

/**
 * The sizes in bytes of what pgvector and PostgreSQL put into a page of an index (hnsw.h, ivfflat.h, bufpage.h and itup.h),
 * from pgvector 0.5.0 to 0.8.7. A test compares the sizes that follow from them with those of indexes on running servers.
 */
const layout = {
  page: 8192,
  pageHeader: 24,
  /** The link to the next page. */
  pageEnd: 8,
  /** The line pointer of each tuple. */
  pointer: 4,
  hnsw: { element: 72, neighbours: 4, neighbour: 6, metadata: 40 },
  ivfflat: { list: 8, entry: 8, metadata: 16 },
} as const satisfies Record<IndexMethod, Record<string, number>> & Record<string, unknown>

/**
 * What the WAL of a build contains beside the used bytes of its pages: headers of blocks, records and WAL pages, and the
 * images of the catalog's pages. hnsw writes the finished index, 32 pages a record; ivfflat also writes each page while it is
 * empty.
 */
const wal = {
  pageHeader: 24,
  catalogs: 90_000,
  perPage: { hnsw: 14.75, ivfflat: 100 },
} as const satisfies { readonly perPage: Record<IndexMethod, number> } & Record<string, unknown>

const USABLE = layout.page - layout.pageHeader - layout.pageEnd

/** What determines the pages of an HNSW index. */
export interface GraphOnDisk {
  readonly rows: number
  /** The bytes of a value in memory. */
  readonly valueBytes: number
  /** The index's option m; default 16. */
  readonly m?: number | undefined
}

// The pages of so many rows are simulated. Those of more are in proportion.
const SIMULATED_ROWS = 20_000

/**
 * Returns the pages of an HNSW index, which are packed as pgvector packs them: a row's element with its neighbours on the
 * same page, if they fit on one. Levels are drawn as pgvector draws them, but the same ones each time.
 *
 * Rows with equal vectors share an element, so an index of many duplicates is smaller.
 *
 * @example graphPages({ rows: 1_000_000, valueBytes: 1544 }).bytes // 2_048_008_192
 */
export function graphPages({ rows, valueBytes, m = DEFAULT_M }: GraphOnDisk): IndexPages {
  const { element, neighbours, neighbour, metadata } = layout.hnsw
  const elementBytes = aligned(element + valueBytes)
  const random = generator()
  const simulated = Math.min(rows, SIMULATED_ROWS)
  let pages = 0
  let used = 0
  let free = 0
  const open = (): void => {
    pages++
    free = USABLE
  }
  const put = (bytes: number): void => {
    free -= bytes + layout.pointer
    used += bytes + layout.pointer
  }
  const fits = (bytes: number): boolean => free >= bytes + layout.pointer
  for (let row = 0; row < simulated; row++) {
    const level = Math.floor(-Math.log(1 - random()) / Math.log(m))
    const neighbourBytes = aligned(neighbours + neighbour * m * (level + 2))
    const both = elementBytes + layout.pointer + neighbourBytes
    const isTogether = both + layout.pointer <= USABLE
    if (!fits(isTogether ? both : elementBytes)) open()
    put(elementBytes)
    if (!fits(neighbourBytes)) open()
    put(neighbourBytes)
  }
  const scale = simulated === 0 ? 0 : rows / simulated
  return pagesOf(Math.max(1, Math.ceil(pages * scale)), used * scale, metadata)
}

/** What determines the pages of an IVFFlat index. */
export interface ListsOnDisk {
  readonly rows: number
  readonly valueBytes: number
  readonly lists: number
}

// The standard deviation of the lengths of lists, relative to their average. That of even lists is smaller, and with it their
// number of pages.
const UNEVEN = 0.5
// From so many pages on, the last page of a list is half full on average, whatever the lengths are.
const MANY_PAGES = 4

/**
 * Returns the pages of an IVFFlat index. Each list begins on a page of its own, also one without rows.
 *
 * @example listPages({ rows: 100_000, valueBytes: 1544, lists: 100 }).bytes // 164_339_712
 */
export function listPages({ rows, valueBytes, lists }: ListsOnDisk): IndexPages {
  const { list, entry, metadata } = layout.ivfflat
  const listBytes = aligned(list + valueBytes) + layout.pointer
  const entryBytes = aligned(entry + shortened(valueBytes)) + layout.pointer
  const centers = Math.ceil(lists / Math.max(1, Math.floor(USABLE / listBytes)))
  const entries = lists * pagesOfList(rows / lists, Math.max(1, Math.floor(USABLE / entryBytes)))
  return pagesOf(centers + Math.ceil(entries), lists * listBytes + rows * entryBytes, metadata)
}

/** Returns the expected pages of a list whose length varies. */
function pagesOfList(rows: number, rowsOfPage: number): number {
  const pages = rows / rowsOfPage
  if (rowsOfPage === 1) return Math.max(1, pages)
  if (pages >= MANY_PAGES) return pages + (1 - 1 / rowsOfPage) / 2
  const isLonger = (than: number): number => 1 / (1 + Math.exp((1.702 * (than - rows)) / (UNEVEN * Math.max(rows, 1))))
  let expected = 1
  for (let full = 1; full < 4 * MANY_PAGES; full++) expected += isLonger(full * rowsOfPage)
  return expected
}

// A value of up to 126 bytes is stored with a header of one byte instead of four.
function shortened(valueBytes: number): number {
  return valueBytes - 3 <= 127 ? valueBytes - 3 : valueBytes
}

function pagesOf(dataPages: number, tupleBytes: number, metadata: number): IndexPages {
  const pages = dataPages + 1
  return {
    bytes: pages * layout.page,
    usedBytes: Math.round(tupleBytes + metadata + pages * (layout.pageHeader + layout.pageEnd)),
  }
}

/** Returns the bytes of WAL that a build writes without compression: an image of each page, without its gap. */
export function walOfPages({ bytes, usedBytes }: IndexPages, method: IndexMethod): number {
  const records = wal.catalogs + usedBytes + (bytes / layout.page) * wal.perPage[method]
  return Math.round((records * layout.page) / (layout.page - wal.pageHeader))
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 8) * 8
}

// Not for anything secret: the same numbers each time, so that equal questions have equal answers.
function generator(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}
