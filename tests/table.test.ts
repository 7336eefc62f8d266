import { table } from '../src/cli/output/table.ts'

const { isTTY, columns } = process.stdout

afterEach(() => {
  Object.assign(process.stdout, { isTTY, columns })
})

const head = ['What', 'Migration', 'Role']
const rows = [
  ['up failed', '', 'test'],
  ['applied (batch 1)', '001_first', 'test'],
]

describe('a table', () => {
  test('has lines on a terminal that is wide enough', () => {
    Object.assign(process.stdout, { isTTY: true, columns: 80 })
    expect(table(head, rows)[0]).toMatch(/^┌─+┬─+┬─+┐$/)
  })

  test('is a block for each row on a narrow terminal', () => {
    Object.assign(process.stdout, { isTTY: true, columns: 30 })
    expect(table(head, rows).join('\n')).toBe(`What       up failed
Role       test

What       applied (batch 1)
Migration  001_first
Role       test`)
  })

  test('is in plain columns where it is no terminal, however narrow', () => {
    Object.assign(process.stdout, { isTTY: false, columns: 30 })
    expect(table(head, rows).join('\n')).toBe(`What               Migration  Role
up failed                     test
applied (batch 1)  001_first  test`)
  })
})
