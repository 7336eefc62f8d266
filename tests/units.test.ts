import { vectorColumn, vectorIndex } from '../src/index.ts'
import { durationOption, millisecondsOf, positiveDurationOption, waitOf } from '../src/core/durations.ts'
import { secondsText } from '../src/core/time-text.ts'
import { indexName } from '../src/core/names.ts'
import { lazySchema, parseOptions } from '../src/core/parse-options.ts'
import { memoryText, sizeOption, sizeText } from '../src/core/sizes.ts'

const options = lazySchema((z) =>
  z.strictObject({
    wait: durationOption().optional(),
    lockTimeout: positiveDurationOption().optional(),
    maxMemory: sizeOption().optional(),
  }),
)

describe('a duration', () => {
  test.each([
    ['500ms', 500],
    ['60s', 60_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1.5s', 1500],
    ['0s', 0],
    [250, 250],
  ])('is accepted as %s', (wait, milliseconds) => {
    expect(parseOptions(options, { wait })).toEqual({ wait: milliseconds })
    expect(waitOf(wait)).toBe(milliseconds)
  })

  test.each(['', '5', 's', '-1s', '5 s', '5 minutes', '1d', '1e3ms', '999h', 1.5, -1, 2 ** 31, null])(
    'is refused as %s',
    (wait) => {
      expect(() => parseOptions(options, { wait })).toThrow('wait: must')
    },
  )

  test('is not 0 where that would mean for ever', () => {
    expect(() => parseOptions(options, { lockTimeout: '0ms' })).toThrow('lockTimeout: must be at least 1')
    expect(parseOptions(options, { lockTimeout: '1ms' })).toEqual({ lockTimeout: 1 })
  })

  test('is 60 seconds where nothing is said about a wait', () => {
    expect(waitOf(undefined)).toBe(60_000)
    expect(millisecondsOf('soon')).toBeNull()
  })

  test('is shown in the unit that fits', () => {
    expect([59, 90, 5400].map(secondsText)).toEqual(['59 s', '2 min', '1 h 30 min'])
  })
})

describe('a size', () => {
  test('is bytes or a text with a unit, as PostgreSQL counts', () => {
    expect(parseOptions(options, { maxMemory: '2GB' })).toEqual({ maxMemory: 2 * 1024 ** 3 })
    expect(parseOptions(options, { maxMemory: 4096 })).toEqual({ maxMemory: 4096 })
    expect(() => parseOptions(options, { maxMemory: '2 gigabytes' })).toThrow('maxMemory: must be whole bytes')
  })

  test('is shown in the unit that fits', () => {
    expect([512, 1536, 5 * 1024 ** 3].map(sizeText)).toEqual(['512 B', '1.5 kB', '5 GB'])
    expect([1_500_000, 1024 ** 3 * 1.5].map(memoryText)).toEqual(['2 MB', '1.5 GB'])
  })
})

describe('a name that PostgreSQL would cut', () => {
  test('ends in a hash of the whole, and is at most 63 bytes long', () => {
    const names = ['a', 'b'].map((end) => indexName(`${'ä'.repeat(40)}${end}`))
    for (const name of names) {
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
      expect(name).toMatch(/^ä+_[0-9a-f]{8}_idx$/)
    }
    expect(new Set(names).size).toBe(2)
    const column = vectorColumn('a'.repeat(60), 'embedding', { type: 'vector', dimensions: 3 })
    expect(vectorIndex(column, { method: 'hnsw', metric: 'l2' }).name).toMatch(/^a+_[0-9a-f]{8}_idx$/)
  })
})
