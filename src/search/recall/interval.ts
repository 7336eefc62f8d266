/** A recall, and the interval of 95 % in which that of all queries lies. */
export interface RecallInterval {
  readonly recall: number
  readonly low: number
  readonly high: number
}

// The quantile of the normal distribution for an interval of 95 %.
const Z = 1.96

/**
 * Estimates the recall of all queries from that of each sampled one.
 *
 * It is Wilson's interval with an effective number of queries, from their variance. The neighbours of one query are found
 * or missed together, so they are fewer than independent trials, and a t-interval is far too narrow near 1.
 */
export function recallInterval(recalls: readonly number[]): RecallInterval {
  const n = recalls.length
  if (n === 0) return { recall: 0, low: 0, high: 1 }
  const mean = recalls.reduce((sum, each) => sum + each, 0) / n
  const squares = recalls.reduce((sum, each) => sum + (each - mean) ** 2, 0)
  // As if one more query had found nothing, so that a sample without a miss is no proof.
  const variance = (squares + mean ** 2) / n
  const effective = Math.min(10 * n, Math.max(n / 2, variance === 0 ? 0 : (n * mean * (1 - mean)) / variance))
  const spread = Z ** 2 / effective
  const centre = (mean + spread / 2) / (1 + spread)
  const half = (Z * Math.sqrt((mean * (1 - mean)) / effective + spread / (4 * effective))) / (1 + spread)
  return { recall: mean, low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}

/** The smallest sample in which a search without a miss can be shown to reach a target. */
export function smallestSample(target: number): number {
  return Math.ceil((2 * Z ** 2 * target) / (1 - target))
}
