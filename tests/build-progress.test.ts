import { progressMeter, type ProgressAnswer } from '../src/indexes/build/progress.ts'

const ROWS = 100_000

/** A build of an HNSW index after so many rows, as PostgreSQL reports it. */
const loading = (rows: number, workers = 0): ProgressAnswer => ({
  phase: 'building index: loading tuples',
  blocksDone: rows / 10,
  blocksTotal: ROWS / 10,
  rowsDone: rows,
  rowsTotal: 0,
  lockersDone: 0,
  lockersTotal: 0,
  workers,
  blockers: [],
})

/** The milliseconds of so many rows, each of which takes longer than the one before. */
const growing = (rows: number): number => (rows < 2 ? 0 : rows * (0.02 + 0.05 * Math.log(rows)))

function secondsLeftAt(share: number, workers: number, time: (rows: number) => number): number | null {
  const clock = { time: 0 }
  const meter = progressMeter(() => clock.time)
  meter(loading(0, workers))
  let left: number | null = null
  for (let rows = 500; rows <= share * ROWS; rows += 500) {
    clock.time = time(rows)
    left = meter(loading(rows, workers)).secondsLeft
  }
  return left
}

describe('the time left of a build', () => {
  test.each([0.05, 0.1, 0.5])('considers that rows of a graph take longer and longer, after %p of them', (share) => {
    const real = (growing(ROWS) - growing(share * ROWS)) / 1000
    const left = secondsLeftAt(share, 0, growing)
    expect((left ?? 0) / real).toBeGreaterThan(0.97)
    expect((left ?? 0) / real).toBeLessThan(1.03)
  })

  test('is that of an even pace with workers, and where the pace is even', () => {
    const even = (rows: number): number => rows
    expect(secondsLeftAt(0.1, 0, even)).toBe(90)
    expect(secondsLeftAt(0.1, 1, even)).toBe(90)
    expect(secondsLeftAt(0.1, 1, growing)).toBe(Math.round((9 * growing(0.1 * ROWS)) / 1000))
  })

  test('is that of usual growth for a build that is seen once', () => {
    const clock = { time: 0 }
    const meter = progressMeter(() => clock.time)
    meter(loading(0))
    clock.time = 10_000
    expect(meter(loading(0.1 * ROWS)).secondsLeft).toBe(127)
    expect(meter(loading(0.1 * ROWS, 2)).secondsLeft).toBe(90)
  })

  test('is unknown at first, and that of the phase', () => {
    const clock = { time: 0 }
    const meter = progressMeter(() => clock.time)
    expect(meter(loading(100)).secondsLeft).toBeNull()
    clock.time = 1000
    const writing = { ...loading(0), phase: 'building index: loading tuples', rowsTotal: ROWS }
    expect(meter({ ...writing, rowsDone: ROWS / 2 })).toMatchObject({ percent: 50, secondsLeft: 1 })
  })
})
