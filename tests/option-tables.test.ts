import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { isAccepted, readOptionSources, tablesIn, withOptionTables } from '../site/option-tables.ts'
import { entries } from './support/entries.ts'

const root = join(__dirname, '..')
const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))
const read = (page: string): string => readFileSync(join(root, 'docs', page), 'utf8')

const sources = readOptionSources()
const tables = pages.flatMap((page) => tablesIn(read(page)))

describe('the tables of options in docs', () => {
  test.each(pages)('of %s are what the code says; `npm run docs` writes them', (page) => {
    expect(read(page)).toBe(withOptionTables(read(page), sources))
  })

  test('have every option that a function accepts, and no other', () => {
    const unknown = tables.filter(
      (name) => !isAccepted((parsedWith[name] ?? ((names) => names))(namesOf(name)), sources),
    )
    expect(unknown).toEqual([])
  })

  test('are there for the options of every public function', () => {
    const exported = entries.flatMap(({ file }) => [
      ...readFileSync(join(root, file), 'utf8').matchAll(/\b(?:type )?(\w+(?:Options|Selection))\b/g),
    ])
    const missing = exported
      .map(([, name = '']) => name)
      // A function's name can end like that too; those of search have a table of their own, with pgvector's settings.
      .filter((name) => /^[A-Z]/.test(name) && !OTHERWISE.has(name) && !tables.includes(name))
    expect(missing).toEqual([])
  })

  test('fail where an option is accepted and not documented', () => {
    const accepted = new Map([['one', ['wait', 'force']]])
    expect(isAccepted(['force', 'wait'], { ...sources, accepted })).toBe(true)
    expect(isAccepted(['wait'], { ...sources, accepted })).toBe(false)
  })
})

/** Where a schema parses more than the options, or one schema of several is meant. */
const parsedWith: Readonly<Record<string, (names: readonly string[]) => readonly string[]>> = {
  VectorColumnOptions: (names) => [...names, 'table', 'name'],
  EmbeddingOptions: (names) => [...names, 'table'],
}

const OTHERWISE: ReadonlySet<string> = new Set(['SearchOptions', 'LintOptions', 'NearestTextOptions'])

function namesOf(type: string): string[] {
  return (sources.documented.get(type) ?? []).map(({ name }) => name)
}
