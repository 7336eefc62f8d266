import type { RecallInterval } from './interval.ts'

/** Whether the target is reached: surely, surely not, or the sample is too small to know. */
export type RecallVerdict = 'reached' | 'missed' | 'undecided'

interface Found<Point> {
  readonly points: readonly Point[]
  /** The smallest measured setting that reaches the target; null for none. */
  readonly smallest: number | null
  readonly verdict: RecallVerdict
}

// Finer steps would be within the noise of the measurement.
const PRECISION = 1.1

/** Finds the smallest setting that reaches a target: doubles it until one does, then halves the gap to the one before. */
export async function findSmallest<Point extends RecallInterval>(
  target: number,
  { from, to }: { readonly from: number; readonly to: number },
  measure: (setting: number) => Promise<Point>,
): Promise<Found<Point>> {
  const points = new Map<number, Point>()
  const reaches = async (setting: number): Promise<boolean> => {
    const point = await measure(setting)
    points.set(setting, point)
    return point.low >= target
  }
  let missed = 0
  let smallest: number | null = null
  for (let setting = from; smallest === null; setting = Math.min(to, 2 * setting)) {
    if (await reaches(setting)) smallest = setting
    else if (setting === to) break
    else missed = setting
  }
  while (smallest !== null && missed > 0 && smallest > missed * PRECISION && smallest - missed > 1) {
    const middle = Math.round(Math.sqrt(smallest * missed))
    if (middle <= missed || middle >= smallest) break
    if (await reaches(middle)) smallest = middle
    else missed = middle
  }
  const ordered = [...points].toSorted(([left], [right]) => left - right).map(([, point]) => point)
  const last = ordered.at(-1)
  const verdict = smallest !== null ? 'reached' : last !== undefined && last.high < target ? 'missed' : 'undecided'
  return { points: ordered, smallest, verdict }
}
