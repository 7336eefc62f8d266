import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { sidebar } from './sidebar.ts'
import { referencePages } from './reference.ts'

const root = resolve(__dirname, '..')
const pages = join(__dirname, '.pages')
const SITE = 'https://knex-pgvector.github.io/knex-pgvector'

/** Collects the pages of the site: the documents, the API reference, and what language models read. */
rmSync(pages, { recursive: true, force: true })
mkdirSync(join(pages, 'reference'), { recursive: true })
mkdirSync(join(pages, 'public'), { recursive: true })
cpSync(join(root, 'docs'), pages, { recursive: true })
cpSync(join(__dirname, 'index.md'), join(pages, 'index.md'))
cpSync(join(root, 'CHANGELOG.md'), join(pages, 'changelog.md'))
for (const { file, markdown } of referencePages()) writeFileSync(join(pages, 'reference', `${file}.md`), markdown)

// What the editors' markers say is nothing for readers.
for (const name of readdirSync(pages).filter((each) => each.endsWith('.md'))) {
  const path = join(pages, name)
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replaceAll(/<!-- (?:\/?(?:options|help)|not compiled)[^>]*-->\n?/g, ''),
  )
}

const listed = sidebar.flatMap(({ text, items }) => [
  `\n## ${text}\n`,
  ...items.map((item) => `- [${item.text}](${SITE}/${item.link}.html)`),
])
const intro =
  '# knex-pgvector\n\n> Enable, index, search and roll back pgvector from ordinary Knex migrations, on any PostgreSQL.'
const texts = sidebar.flatMap(({ items }) => items.map(({ link }) => readFileSync(join(pages, `${link}.md`), 'utf8')))
writeFileSync(join(pages, 'public', 'llms.txt'), `${[intro, ...listed].join('\n')}\n`)
writeFileSync(join(pages, 'public', 'llms-full.txt'), `${[intro, ...texts].join('\n\n---\n\n')}\n`)
