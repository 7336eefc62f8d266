import { detailLines } from '../src/cli/output/details.ts'
import { table } from '../src/cli/output/table.ts'
import { wrap } from '../src/cli/output/wrap.ts'

const { isTTY, columns } = process.stdout

afterEach(() => {
  Object.assign(process.stdout, { isTTY, columns })
})

const head = ['What', 'Migration', 'Role']
const rows = [
  ['up failed', '', 'test'],
  ['applied (batch 1)', '001_first_schema', 'test'],
]

/** The same on a terminal with colours, which is known when the module is loaded. */
async function inColour(): Promise<{ readonly painted: typeof table; readonly green: (text: string) => string }> {
  const before = process.env['FORCE_COLOR']
  process.env['FORCE_COLOR'] = '1'
  try {
    jest.resetModules()
    const { green } = await import('../src/cli/output/colour.ts')
    return { painted: (await import('../src/cli/output/table.ts')).table, green }
  } finally {
    if (before === undefined) delete process.env['FORCE_COLOR']
    else process.env['FORCE_COLOR'] = before
  }
}

describe('a table', () => {
  test('has lines on a terminal that is wide enough', () => {
    Object.assign(process.stdout, { isTTY: true, columns: 80 })
    expect(table(head, rows)[0]).toMatch(/^┌─+┬─+┬─+┐$/)
  })

  test('has no lines on a terminal that is too narrow for them', () => {
    Object.assign(process.stdout, { isTTY: true, columns: 45 })
    expect(table(head, rows).join('\n')).toBe(`What               Migration         Role
up failed                            test
applied (batch 1)  001_first_schema  test`)
  })

  test('wraps its widest columns on a narrow terminal, but for those that are to stay whole', () => {
    Object.assign(process.stdout, { isTTY: true, columns: 34 })
    expect(table(head, rows).join('\n')).toBe(`What       Migration   Role
up failed              test
applied    001_first_  test
(batch 1)  schema`)
    Object.assign(process.stdout, { isTTY: true, columns: 40 })
    expect(table(head, rows, ['What']).join('\n')).toBe(`What               Migration   Role
up failed                      test
applied (batch 1)  001_first_  test
                   schema`)
  })

  test('keeps a coloured cell whole when it wraps the others', async () => {
    Object.assign(process.stdout, { isTTY: true, columns: 22 })
    const { painted, green } = await inColour()
    const [, line, more] = painted(['', 'Migration', 'Role'], [[green('✓'), '001_first_schema', 'test']])
    expect([line, more]).toEqual([`${green('✓')}  001_first_  test`, '   schema'])
    Object.assign(process.stdout, { columns: 12 })
    expect(painted(['', 'Migration'], [[green('✓'), '001_first_schema']])).toEqual([
      green('✓'),
      'Migration  001_first_schema',
    ])
  })

  test('is a block for each row where not even that fits', () => {
    Object.assign(process.stdout, { isTTY: true, columns: 20 })
    expect(table(head, rows).join('\n')).toBe(`What       up failed
Role       test

What       applied (batch 1)
Migration  001_first_schema
Role       test`)
  })

  test('is in plain columns where it is no terminal, however narrow', () => {
    Object.assign(process.stdout, { isTTY: false, columns: 30 })
    expect(table(head, rows).join('\n')).toBe(`What               Migration         Role
up failed                            test
applied (batch 1)  001_first_schema  test`)
  })
})

describe('a text in lines', () => {
  test.each([
    ['a few words', 7, ['a few', 'words']],
    ['001_initial_schema', 10, ['001_', 'initial_', 'schema']],
    ['x'.repeat(7), 3, ['xxx', 'xxx', 'x']],
    ['', 3, ['']],
    ['short', 80, ['short']],
  ])('%j of %i characters is %j', (text, width, lines) => {
    expect(wrap(text, width)).toEqual(lines)
  })
})

describe('details for people', () => {
  test('are names and values in short lines, without what is empty and the numbers of the catalog', () => {
    const settings = { workers: 0, neededMemory: 1_048_576, leavesProcessor: false, minParallelScan: null }
    expect(detailLines({ rows: 0, index: 'items_idx', table: 21_286, method: 'hnsw', settings, warnings: [] })).toEqual(
      ['rows 0, index items_idx, method hnsw', 'settings: workers 0, needed memory 1 MB, leaves processor no'],
    )
  })
})
