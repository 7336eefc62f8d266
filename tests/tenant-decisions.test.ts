import fc from 'fast-check'

import { decideTenants, keptAbove, type SeenTenant } from '../src/indexes/tenants/decide.ts'

const rule = { above: 100, atMost: 3 }

const valid = { name: 'ours', isValid: true, isOurs: true } as const
const tenant = (name: string, rows: number, index: SeenTenant['index'] = null): SeenTenant => ({
  tenant: name,
  rows,
  index,
})
const names = (tenants: readonly SeenTenant[]): string[] => tenants.map((each) => each.tenant)

describe('the decision about the indexes of tenants', () => {
  test('builds for tenants above the limit, the biggest first', () => {
    const { build, drop, keep } = decideTenants(rule, [tenant('b', 101), tenant('a', 500), tenant('c', 100)])
    expect({ build: names(build), drop, keep }).toEqual({ build: ['a', 'b'], drop: [], keep: [] })
  })

  test('builds for no more tenants than allowed', () => {
    const all = [200, 300, 400, 500].map((rows) => tenant(String(rows), rows))
    expect(names(decideTenants(rule, all).build)).toEqual(['500', '400', '300'])
  })

  test.each([
    { rows: 99, action: 'keep' },
    { rows: 81, action: 'keep' },
    { rows: 80, action: 'drop' },
    { rows: 0, action: 'drop' },
  ] as const)('of a tenant that has shrunk to $rows rows: $action', ({ rows, action }) => {
    expect(names(decideTenants(rule, [tenant('a', rows, valid)])[action])).toEqual(['a'])
    expect(rows > keptAbove(rule)).toBe(action === 'keep')
  })

  test('replaces the smallest indexed tenant only by one that has a quarter more rows', () => {
    const indexed = [tenant('a', 400, valid), tenant('b', 300, valid), tenant('c', 200, valid)]
    const near = decideTenants(rule, [...indexed, tenant('new', 249)])
    expect([names(near.build), names(near.drop)]).toEqual([[], []])
    const more = decideTenants(rule, [...indexed, tenant('new', 251)])
    expect([names(more.build), names(more.drop), names(more.keep)]).toEqual([['new'], ['c'], ['a', 'b']])
  })

  test('never drops an index that this library did not build', () => {
    const { drop, keep } = decideTenants(rule, [tenant('a', 0, { ...valid, isOurs: false })])
    expect([names(drop), names(keep)]).toEqual([[], ['a']])
  })

  test('builds an invalid index again while its tenant is big enough, and otherwise drops it', () => {
    const invalid = { ...valid, isValid: false }
    const { build, drop } = decideTenants(rule, [tenant('a', 101, invalid), tenant('b', 99, invalid)])
    expect([names(build), names(drop)]).toEqual([['a'], ['b']])
  })

  test('has nothing left to do after it was carried out, whatever there was', () => {
    const index = fc.option(fc.record({ name: fc.string(), isValid: fc.boolean(), isOurs: fc.boolean() }))
    const tenants = fc
      .uniqueArray(fc.record({ tenant: fc.string(), rows: fc.nat(400), index }), { selector: (each) => each.tenant })
      .map((all) => all.map((each) => tenant(each.tenant, each.rows, each.index)))
    fc.assert(
      fc.property(tenants, (before) => {
        const { build, drop } = decideTenants(rule, before)
        expect(build.some((each) => drop.includes(each))).toBe(false)
        const after = before.map((each) =>
          build.includes(each)
            ? tenant(each.tenant, each.rows, valid)
            : drop.includes(each)
              ? { ...each, index: null }
              : each,
        )
        const next = decideTenants(rule, after)
        expect([next.build, next.drop]).toEqual([[], []])
        expect(after.filter((each) => each.index?.isOurs === true && each.index.isValid).length).toBeLessThanOrEqual(3)
      }),
    )
  })
})
