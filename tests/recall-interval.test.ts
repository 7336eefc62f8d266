import { findSmallest } from '../src/search/recall/find-smallest.ts'
import { recallInterval, smallestSample } from '../src/search/recall/interval.ts'

const K = 10
const SAMPLES = 3000

// Jest looks a global up by name each time, which costs more than what it does here.
const { floor, imul } = Math

/** Numbers that look random and are the same in every run. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Queries whose neighbours are found or missed together: some queries find everything, others only a share. */
function population(mean: number, together: number, random: () => number): readonly number[] {
  return Array.from({ length: 20_000 }, () => {
    // With this probability the query is a hard one, and bears all of the misses.
    const isHard = random() < together
    const share = isHard ? Math.max(0, 1 - (1 - mean) / together) : 1
    return Array.from({ length: K }, () => (random() < share ? 1 : 0)).reduce<number>((sum, each) => sum + each, 0) / K
  })
}

describe('the interval of a recall', () => {
  const cases = [0.5, 0.7, 0.9, 0.95, 0.98, 0.99, 0.999].flatMap((mean) =>
    [1, 0.6, 0.2]
      .filter((together) => 1 - mean <= together)
      .flatMap((together) => [50, 400].map((n) => [mean, together, n] as const)),
  )

  test.each(cases)(
    'has a lower bound that holds in 97 %% of samples: recall %p, hard queries %p, %p queries',
    (mean, together, n) => {
      const random = generator(Math.round(mean * 1000) + n)
      const all = population(mean, together, random)
      const truth = all.reduce((sum, each) => sum + each, 0) / all.length
      let held = 0
      for (let sample = 0; sample < SAMPLES; sample++) {
        const recalls = Array.from({ length: n }, () => all[floor(random() * all.length)] ?? 0)
        if (recallInterval(recalls).low <= truth) held++
      }
      expect(held / SAMPLES).toBeGreaterThanOrEqual(0.97)
    },
  )

  test('lets a perfect sample reach the target from the smallest sample on, and no sooner', () => {
    for (const target of [0.9, 0.95, 0.98, 0.99]) {
      const size = smallestSample(target)
      expect(recallInterval(Array.from({ length: size }, () => 1)).low).toBeGreaterThanOrEqual(target)
      expect(recallInterval(Array.from({ length: size - 2 }, () => 1)).low).toBeLessThan(target)
    }
    expect([0.95, 0.98, 0.99].map(smallestSample)).toEqual([146, 377, 761])
  })

  test('is everything where nothing was sampled, and never leaves 0 to 1', () => {
    expect(recallInterval([])).toEqual({ recall: 0, low: 0, high: 1 })
    expect(recallInterval([0, 0, 0]).low).toBe(0)
    expect(recallInterval([1, 1, 1]).high).toBe(1)
  })
})

describe('the smallest setting', () => {
  const measured = (recallAt: (setting: number) => number) => {
    const settings: number[] = []
    const measure = (setting: number) => {
      settings.push(setting)
      const recall = recallAt(setting)
      return Promise.resolve({ recall, low: recall - 0.01, high: recall + 0.01, setting })
    }
    return { settings, measure }
  }
  const range = { from: 10, to: 1000 }

  test('is found to a tenth, with a few measurements', async () => {
    const { settings, measure } = measured((setting) => 1 - 1 / setting)
    const { smallest, verdict, points } = await findSmallest(0.97, range, measure)
    expect(verdict).toBe('reached')
    expect(smallest).toBeGreaterThanOrEqual(50)
    expect(smallest).toBeLessThanOrEqual(55)
    expect(settings.length).toBeLessThanOrEqual(9)
    expect(points.map(({ setting }) => setting)).toEqual(settings.toSorted((left, right) => left - right))
  })

  test('is the first where that reaches the target', async () => {
    const { settings, measure } = measured(() => 0.99)
    expect(await findSmallest(0.95, range, measure)).toMatchObject({ smallest: 10, verdict: 'reached' })
    expect(settings).toEqual([10])
  })

  test.each([
    ['missed', 0.9],
    ['undecided', 0.945],
  ])('is null where the target is %s', async (verdict, recall) => {
    const { settings, measure } = measured(() => recall)
    expect(await findSmallest(0.95, range, measure)).toMatchObject({ smallest: null, verdict })
    expect(settings.at(-1)).toBe(1000)
  })
})
