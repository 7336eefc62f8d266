/** Forecasts the rest of a build whose rows take longer the more there are: `a + b × ln(rows)` for each. */
export interface GrowthFit {
  add(rows: number, milliseconds: number): void
  /** Returns the milliseconds from so many rows, which took so long, to all of them; null if too little is known. */
  left(rows: number, total: number, milliseconds: number): number | null
}

/**
 * How much longer a row takes when the rows of a graph become e times as many, as a share of its time at 1,000 rows. That of
 * builds of several types and dimensions.
 */
export const TYPICAL_GROWTH = 0.25

/** Returns how long so many rows of a graph take, in units of a row at 1,000 rows, if they grow as usual. */
function typical(rows: number): number {
  return rows * Math.max(0, 1 + TYPICAL_GROWTH * Math.log(rows / 1000))
}

// With fewer observations, or fewer rows, a fit follows the noise.
const ENOUGH = 5
const FIRST_ROWS = 200

/** Fits the observations of one build by least squares. */
export function growthFit(): GrowthFit {
  let count = 0
  // Sums of products of rows, rows × ln(rows) and milliseconds.
  const sums = { rr: 0, rl: 0, ll: 0, rt: 0, lt: 0 }
  return {
    add: (rows, milliseconds) => {
      if (rows < FIRST_ROWS) return
      const [r, l] = [rows, rows * Math.log(rows)]
      count++
      sums.rr += r * r
      sums.rl += r * l
      sums.ll += l * l
      sums.rt += r * milliseconds
      sums.lt += l * milliseconds
    },
    left: (rows, total, milliseconds) => {
      const determinant = sums.rr * sums.ll - sums.rl * sums.rl
      if (rows < FIRST_ROWS || total <= rows) return null
      if (count < ENOUGH || determinant <= 0) return milliseconds * (typical(total) / typical(rows) - 1)
      const perLogarithm = Math.max(0, (sums.rr * sums.lt - sums.rl * sums.rt) / determinant)
      const constant = (sums.rt - perLogarithm * sums.rl) / sums.rr
      const at = (n: number): number => n * (constant + perLogarithm * Math.log(n))
      return Math.max(0, at(total) - at(rows))
    },
  }
}
