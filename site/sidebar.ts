/** The pages of the site, in the order of reading. A link is a page without its extension. */
export const sidebar = [
  {
    text: 'Guide',
    items: [
      { text: 'Getting started', link: 'start' },
      { text: 'Enabling pgvector', link: 'extension' },
      { text: 'Migrations', link: 'migrations' },
      { text: 'Operations', link: 'operations' },
      { text: 'Indexes', link: 'indexes' },
      { text: 'Values and bulk loading', link: 'values' },
      { text: 'Search', link: 'search' },
      { text: 'Big tenants', link: 'tenants' },
      { text: 'Backfill', link: 'backfill' },
      { text: 'Keeping vectors in step', link: 'in-step' },
      { text: 'Changing the model', link: 'changing-the-model' },
      { text: 'Command line', link: 'command-line' },
      { text: 'Running from code', link: 'runner' },
      { text: 'Many databases', link: 'fleet' },
      { text: 'Testing', link: 'testing' },
      { text: 'Production checklist', link: 'production' },
    ],
  },
  {
    text: 'Moving here',
    items: [
      { text: 'Coming from another tool', link: 'coming-from' },
      { text: 'Frameworks', link: 'frameworks' },
      { text: 'Differences from stock Knex', link: 'stock-knex' },
    ],
  },
  {
    text: 'Reference',
    items: [
      { text: 'Errors', link: 'errors' },
      { text: 'Lint rules', link: 'lint' },
      { text: 'Providers', link: 'providers' },
      { text: 'Exported names', link: 'api' },
      { text: 'knex-pgvector', link: 'reference/index' },
      { text: '/migrator', link: 'reference/migrator' },
      { text: '/lint', link: 'reference/lint' },
      { text: '/doctor', link: 'reference/doctor' },
      { text: '/fleet', link: 'reference/fleet' },
      { text: '/embedded', link: 'reference/embedded' },
      { text: 'Benchmarks', link: 'benchmarks' },
      { text: 'Changelog', link: 'changelog' },
    ],
  },
] as const
