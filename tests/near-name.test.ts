import { nearName } from '../src/core/near-name.ts'

const names = ['to', 'only', 'skip', 'efSearch', 'minVersion', 'dimensions']

describe('the name that was probably meant', () => {
  test.each([
    ['onyl', 'only'],
    ['ony', 'only'],
    ['ef_search', 'efSearch'],
    ['dimension', 'dimensions'],
    ['minversion', 'minVersion'],
    ['min_verison', 'minVersion'],
    ['t', 'to'],
  ])('of %s is %s', (given, meant) => {
    expect(nearName(given, names)).toBe(meant)
  })

  test.each(['steps', 'database', '', 'x'.repeat(100_000)])('of %j is none', (given) => {
    expect(nearName(given, names)).toBeUndefined()
  })
})
