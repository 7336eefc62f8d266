import fc from 'fast-check'

import { isAtLeast, newest, parseVersion } from '../src/pgvector/version.ts'

const number = fc.nat({ max: 999 })
const suffix = fc.constantFrom('', '.google-1', '-yb-1.0', '.dev', '+build', '_1')

describe('a pgvector version', () => {
  test('is read with and without the suffix of a provider', () => {
    fc.assert(
      fc.property(number, number, number, suffix, (major, minor, patch, tail) => {
        expect(parseVersion(`${major}.${minor}.${patch}${tail}`)?.version).toBe(`${major}.${minor}.${patch}`)
      }),
    )
  })

  test('is compared number by number, never letter by letter', () => {
    fc.assert(
      fc.property(fc.tuple(number, number, number), fc.tuple(number, number, number), (left, right) => {
        const difference = left.map((value, index) => value - (right[index] ?? 0)).find((value) => value !== 0) ?? 0
        expect(isAtLeast(left.join('.'), right.join('.'))).toBe(difference >= 0)
      }),
    )
    expect(isAtLeast('0.10.0', '0.9.0')).toBe(true)
    expect(isAtLeast('0.9.0', '0.10.0')).toBe(false)
  })

  test.each(['', 'latest', 'v0.8.0', '0.8.0x', '0..8', '-1.0', 'NaN'])('is not read from %p', (textual) => {
    expect(parseVersion(textual)).toBeNull()
    expect(isAtLeast(textual, '0.0.1')).toBe(false)
  })

  test('is the newest of a list, whatever else is in it', () => {
    expect(newest(['0.9.0', '0.10.0', 'garbage', '0.8.1.google-1'])).toBe('0.10.0')
    expect(newest([])).toBeNull()
  })
})
