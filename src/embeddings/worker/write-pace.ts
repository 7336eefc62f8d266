/** How many rows are written in one statement. The concurrent batches of a worker share what they learn. */
export interface WritePace {
  rows(): number
  /** Learns how long a statement locked so many rows; null if it locked none. */
  learn(rows: number, milliseconds: number | null): void
}

// Writers of these rows wait for the statement, which is slow where an HNSW index takes each vector.
const LONGEST_WRITE = 5
const FIRST_ROWS = 8

/** Starts with few rows and finds out how many take some milliseconds. The server's time counts, not that of this process. */
export function writePace(): WritePace {
  let size = FIRST_ROWS
  return {
    rows: () => Math.max(1, Math.round(size)),
    learn: (rows, milliseconds) => {
      if (milliseconds === null) return
      const wanted = (rows * LONGEST_WRITE) / Math.max(0.01, milliseconds)
      // One statement says little on a busy server.
      size = Math.max(1, Math.min(size * 2, Math.max(size / 2, wanted)))
    },
  }
}
