import { defineConfig } from 'vitepress'

import { slug } from '../slug.ts'
import { sidebar } from '../sidebar.ts'

const REPOSITORY = 'https://github.com/knex-pgvector/knex-pgvector'

export default defineConfig({
  title: 'knex-pgvector',
  description: 'Enable, index, search and roll back pgvector from ordinary Knex migrations, on any PostgreSQL.',
  base: '/knex-pgvector/',
  srcDir: '.pages',
  outDir: '.dist',
  cacheDir: '.cache',
  lastUpdated: false,
  markdown: { anchor: { slugify: slug }, toc: { slugify: slug }, headers: { slugify: slug } },
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/start' },
      { text: 'Errors', link: '/errors' },
      { text: 'Reference', link: '/reference/index' },
    ],
    sidebar: sidebar.map(({ text, items }) => ({
      text,
      items: items.map((item) => ({ text: item.text, link: `/${item.link}` })),
    })),
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    footer: { message: 'MIT licence' },
  },
})
