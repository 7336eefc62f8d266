import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { messages } from '../src/core/error-messages.ts'
import { referencePages } from '../site/reference.ts'
import { sidebar } from '../site/sidebar.ts'
import { slug } from '../site/slug.ts'

const root = join(__dirname, '..')
const reference = referencePages()
const linked = sidebar.flatMap(({ items }) => items.map(({ link }): string => link))

describe('the site', () => {
  test('has every document and every page of the API reference in its sidebar, and nothing that is not there', () => {
    const documents = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))
    const pages = [
      ...documents.map((name) => name.replace(/\.md$/, '')),
      ...reference.map(({ file }) => `reference/${file}`),
      'changelog',
    ]
    expect(linked.toSorted()).toEqual(pages.toSorted())
  })

  test('gives headings the anchors that GitHub gives them', () => {
    const headings = readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^## ([A-Z_]+)$/gm)
    expect([...headings].map(([, code = '']) => slug(code))).toEqual(
      Object.keys(messages).map((code) => code.toLowerCase()),
    )
    expect(slug('`vectorIndex`')).toBe('vectorindex')
    expect(slug('Transactions, races and locks')).toBe('transactions-races-and-locks')
  })
})

describe('the API reference', () => {
  test.each(reference)('of $specifier links only to errors that have a heading', ({ markdown }) => {
    const anchors = [...markdown.matchAll(/errors\.md#([a-z_]+)\)/g)].map(([, anchor = '']) => anchor.toUpperCase())
    expect(anchors.filter((code) => !(code in messages))).toEqual([])
  })

  test('has the declaration, an example and the errors of a function', () => {
    const section = reference[0]?.markdown.split('### ensurePgvector')[1]?.split('\n### ')[0]
    expect(section).toContain(
      'function ensurePgvector(db: Database, options: EnsureOptions = {}): Promise<EnsureResult>',
    )
    expect(section).toContain('await ensurePgvector(knex')
    expect(section).toContain('[`INVALID_OPTIONS`](../errors.md#invalid_options)')
  })
})
