import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

import { messages, type ErrorCode, type ErrorDetails } from '../src/core/error-messages.ts'
import { providers } from '../src/pgvector/providers.ts'
import { ensurePgvector, PgvectorMigrationError } from '../src/index.ts'
import { entries } from './support/entries.ts'
import { describeEmbedded } from './support/databases.ts'
import { pages } from './support/pages.ts'
import { recordingLogger } from './support/recorder.ts'
import { typeErrorsOf } from './support/type-errors.ts'

const root = join(__dirname, '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** What the package contains, where its pages can link to each other. */
const packaged = pages.filter((page) => !['CONTRIBUTING.md', 'SECURITY.md'].includes(page))

/** A page without the blocks that are marked as not compiled: tests/start.test.ts runs those. */
const compiled = (page: string): string => read(page).replaceAll(/<!-- not compiled: .*? -->\s*```[\s\S]*?```/g, '')

describe('docs/errors.md', () => {
  const sections = sectionsOf(read('docs/errors.md'), 2)

  test('has a heading for every code and for nothing else', () => {
    expect(Object.keys(sections)).toEqual(Object.keys(messages))
  })

  test.each(Object.keys(messages) as ErrorCode[])('explains %s with the sentence that users see', (code) => {
    const { message, docsUrl } = exampleOf(code)
    expect(fencesOf(sections[code] ?? '', 'text')).toEqual([message])
    expect(docsUrl).toMatch(new RegExp(`/docs/errors\\.md#${anchor(code)}$`))
    expect(sections[code]).toMatch(/\*\*Fix/)
    expect(sections[code]).toMatch(/\*\*SQLSTATE\*\*/)
  })
})

describe('docs/providers.md', () => {
  const sections = sectionsOf(sectionsOf(read('docs/providers.md'), 2)['Recognised providers'] ?? '', 3)

  test('has a section for every host and for no other, in the order in which they are recognised', () => {
    const titles = Object.entries(providers).map(([name, { title }]) => `${title} (\`${name}\`)`)
    expect(Object.keys(sections).map((title) => title.toLowerCase())).toEqual(
      titles.map((title) => title.toLowerCase()),
    )
  })

  test.each(Object.entries(sections))('answers five questions about %s', (_title, text) => {
    const questions = [...text.matchAll(/^- \*\*([^*]+)\*\*/gm)].map(([, question]) => question?.replace(/,.*/, ''))
    expect(questions).toEqual(['Who may create it', 'Manual step', 'When it is missing', 'Recognised by', 'Update'])
  })

  test.each(Object.entries(providers))('names the marks of %s', (name, provider: Marks) => {
    const text = Object.entries(sections).find(([title]) => title.endsWith(`(\`${name}\`)`))?.[1] ?? ''
    const { settings = [], roles = [], functions = [], server } = provider
    const marks = [...settings, ...roles, ...functions, ...(server === undefined ? [] : [server])]
    expect(marks.filter((mark) => !text.includes(`\`${mark}\``))).toEqual([])
  })
})

describe('README.md', () => {
  const readme = read('README.md')

  test('fits on four screens', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(200)
  })

  test('says the oldest Node that the package accepts', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
    expect(readme).toContain(`| Node | ${engines.node.replace('>=', '')},`)
  })
})

describe('CONTRIBUTING.md', () => {
  test('lists every folder of src and no other', () => {
    const block = fencesOf(read('CONTRIBUTING.md'), 'text').find((each) => each.startsWith('src/')) ?? ''
    const path: string[] = []
    const listed = block.split('\n').flatMap((line) => {
      const [, indent = '', name] = /^( +)([a-z-]+)\/ /.exec(line) ?? []
      if (name === undefined) return []
      path.splice(indent.length / 2 - 1, Infinity, name)
      return [path.join('/')]
    })
    const folders = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ parentPath, name }) => relative(join(root, 'src'), join(parentPath, name)))
    expect(listed.toSorted()).toEqual(folders.toSorted())
  })

  const { dependencies, peerDependencies, devDependencies, scripts } = JSON.parse(read('package.json')) as Manifest

  test.each([
    ['dependency', dependencies],
    ['peer', peerDependencies],
    ['devDependency', devDependencies],
  ])('gives the reason of every %s and of no other', (kind, wanted) => {
    const named = tableAfter(read('CONTRIBUTING.md'), `| ${kind} |`).map(([name]) => unquoted(name))
    expect(named.toSorted()).toEqual(Object.keys(wanted).toSorted())
  })

  test.each(pages)('%s names only scripts that exist', (page) => {
    const named = [...read(page).matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name)
    expect(named.filter((name) => scripts[name ?? ''] === undefined)).toEqual([])
  })
})

describe('CHANGELOG.md', () => {
  test('has a heading for this version', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string }
    expect(Object.keys(sectionsOf(read('CHANGELOG.md'), 2)).some((title) => title.startsWith(version))).toBe(true)
  })
})

describe('every page', () => {
  test.each(pages)('%s links to files and headings that are there', (page) => {
    const broken = linksOf(read(page)).filter((link) => {
      const [path = '', heading] = link.split('#')
      const folder = link.startsWith('/') ? '' : dirname(page)
      const file = path === '' ? page : relative(root, join(root, folder, path))
      if (!existsSync(join(root, file))) return true
      return heading !== undefined && !anchorsOf(read(file)).includes(heading)
    })
    expect(broken).toEqual([])
  })

  test.each(entries)('names everything that $specifier exports', ({ file }) => {
    const text = pages.map(read).join('\n')
    expect(exportsOf(file).filter((name) => !new RegExp(`\`${name}\``).test(text))).toEqual([])
  })

  test.each(packaged)('%s links to no file that the package lacks', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#\s:]+)(?:#[^)]*)?\)/g)].map(([, link = '']) =>
      join(dirname(page), link),
    )
    expect(links.filter((path) => !/^(README|CHANGELOG|LICENSE|docs\/)/.test(path))).toEqual([])
  })

  // Few applications are as strict as this repository about a property that is undefined.
  const settings = { exactOptionalPropertyTypes: false }

  test('shows code that compiles', () => {
    const programs = pages.flatMap((page) => fencesOf(compiled(page), 'ts'))
    expect(typeErrorsOf(programs, { settings })).toEqual([])
  })

  test('shows JavaScript that compiles', () => {
    const programs = pages.flatMap((page) => fencesOf(compiled(page), 'js'))
    const asJavaScript = { ...settings, allowJs: true, checkJs: true, noImplicitAny: false }
    expect(typeErrorsOf(programs, { settings: asJavaScript, extension: 'js' })).toEqual([])
  })
})

describeEmbedded('the documents', (database) => {
  test('quote what the first migration prints', async () => {
    const logger = recordingLogger()
    await ensurePgvector(database().knex, { logger })
    expect(fencesOf(read('README.md'), 'text').join('\n')).toContain(logger.infos[0])
  })

  test('list the columns of the migration log', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const columns = Object.keys(await knex('pgvector_migration_log').columnInfo())
    const named = tableAfter(sectionsOf(read('docs/extension.md'), 2)['The migration log'] ?? '', '| column |')
    expect(named.flatMap(([names]) => names?.split(', ') ?? []).map(unquoted)).toEqual(columns)
  })
})

interface Marks {
  readonly title: string
  readonly settings?: readonly string[]
  readonly roles?: readonly string[]
  readonly functions?: readonly string[]
  readonly server?: string
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
}

const examples: { readonly [Code in ErrorCode]: ErrorDetails[Code] } = {
  INVALID_OPTIONS: { problems: ["minVersion: must be a version like '0.8.0'", 'Unrecognized key: "dimension"'] },
  UNSUPPORTED_DATABASE: { database: 'CockroachDB, with a vector type of its own' },
  POSTGRES_TOO_OLD: { version: '13.23', requiredMajor: 14 },
  PGVECTOR_NOT_AVAILABLE: { major: 17 },
  PGVECTOR_VERSION_TOO_LOW: { installed: '0.4.4', minimum: '0.5.0', available: null },
  PGVECTOR_NO_UPDATE_PATH: { installed: '0.4.4', target: '0.8.0' },
  INSUFFICIENT_PRIVILEGE: { statement: 'CREATE EXTENSION', role: 'app' },
  TYPE_CONFLICT: { name: 'vector', kind: 'table', schema: 'public', extension: null },
  ACCESS_METHOD_CONFLICT: { name: 'hnsw', extension: 'embedding' },
  SCHEMA_NOT_FOUND: { schema: 'extensions' },
  READ_ONLY: { reason: 'standby', primary: null },
  CITUS_WORKER: { coordinator: 'coordinator:5432' },
  CITUS_NODES_NOT_READY: { problems: [{ node: 'worker-2:5432', problem: 'has no files of pgvector' }] },
  CITUS_REFUSED: {
    problem:
      'cannot run extension command because there was a parallel operation on a distributed table in the transaction',
    node: null,
  },
  LOCK_TIMEOUT: { milliseconds: 60_000 },
  VERIFICATION_FAILED: { problems: ['operator <-> is missing in the schema "public"'] },
  PGVECTOR_NOT_ENABLED: { needed: 'the column documents.embedding' },
  PGVECTOR_DOWNGRADE: { installed: '0.8.0', target: '0.7.0' },
  RELATION_NOT_FOUND: { name: '"documents"', kind: 'table' },
  COLUMN_DIFFERS: { column: 'documents.embedding', existing: 'vector(384)', wanted: 'vector(768)' },
  COLUMN_NEEDS_VALUES: { column: 'documents.embedding' },
  COLUMN_IN_USE: { column: 'documents.embedding', dependents: ['index documents_embedding_idx'] },
  INDEX_NOT_POSSIBLE: {
    column: 'documents.embedding',
    type: 'sparsevec',
    dimensions: 30_000,
    method: 'ivfflat',
    metric: 'cosine',
    problems: ['ivfflat has no operator class for the cosine distance of sparsevec'],
  },
  INDEX_DIFFERS: {
    index: '"documents_embedding_idx"',
    existing: 'CREATE INDEX … USING ivfflat (embedding vector_l2_ops)',
    wanted: 'CREATE INDEX … USING hnsw (embedding vector_cosine_ops)',
  },
  INDEX_NEEDS_ROWS: { index: '"documents_embedding_idx"', rows: 0, partitions: [] },
  INDEX_NEEDS_MEMORY: {
    index: '"documents_embedding_idx"',
    kind: 'shared memory',
    needed: 'could not resize shared memory segment',
  },
  INDEX_BUILD_FAILED: { index: '"documents_embedding_idx"', problem: 'PostgreSQL left it invalid' },
  INDEX_DROP_FAILED: { index: '"documents_embedding_idx"', problem: 'canceling statement due to user request' },
  TENANT_INDEXES_NOT_POSSIBLE: { table: '"public"."documents"', problems: ['it is partitioned'] },
  BACKFILL_FAILED: { column: 'documents.embedding', filled: 4200, problem: 'embed failed with: 401 Unauthorized' },
  IN_STEP_NOT_POSSIBLE: {
    column: 'documents.embedding',
    problems: [
      'its table has neither a primary key nor a unique index of NOT NULL columns, so a mark could not name a row',
    ],
  },
  NOT_KEPT_IN_STEP: {
    column: 'documents.embedding',
    problems: ['trigger "documents__embedding__mark" is disabled'],
  },
  COPY_FAILED: {
    table: 'documents',
    row: 4712,
    column: 'embedding',
    problem: 'has 383 dimensions, but the column has 384',
  },
  MODEL_NOT_SEARCHABLE: {
    embedding: 'documents.embedding',
    model: 'large-3',
    searchable: ['large-3', 'small-3'],
    embeds: ['other-1'],
  },
  MODEL_CHANGE_REFUSED: {
    embedding: 'documents.embedding',
    problems: ['the phase is backfill: run advance first, which ends with the comparison'],
  },
  TABLE_BUSY: { table: '"documents"', attempts: 10, milliseconds: 31_000, blockers: [4711] },
  SESSION_SHARED: { processes: [4711, 4712] },
  SEARCH_OPTION_NOT_SUPPORTED: { option: 'iterativeScan', since: '0.8.0', installed: '0.7.4' },
  INVALID_MIGRATION: { file: '004_add_tags', problem: 'it exports no function up' },
  KNEXFILE_NOT_FOUND: { folder: '/srv/app' },
  INVALID_KNEXFILE: { file: '/srv/app/knexfile.ts', problem: 'it exports no configuration' },
  ENVIRONMENT_NOT_FOUND: { environment: 'staging', known: ['development', 'production'] },
  CONFIRMATION_NEEDED: { migrations: ['003_add_scaling_tables'] },
  MIGRATIONS_NOT_FOUND: { directory: '/app/migrations', reason: 'ENOENT' },
  MIGRATION_NOT_FOUND: { version: '02_add_search', near: ['002_add_semantic_search'] },
  MIGRATION_AMBIGUOUS: { version: '00', matches: ['001_initial_schema', '002_add_semantic_search'] },
  MIGRATION_FILES_MISSING: { missing: ['004_add_tags'] },
  MIGRATION_FAILED: { migration: '003_add_scaling_tables', direction: 'up', transactional: true, done: [], left: [] },
  MIGRATIONS_LOCKED: { holder: null, milliseconds: 60_000 },
  CONNECTION_LOST: { processId: 4711, reason: 'Connection terminated unexpectedly' },
  MIGRATION_LOCK_LOST: { migration: '003_add_scaling_tables', transactional: true },
  MIGRATION_INTERRUPTED: {
    migration: '003_add_scaling_tables',
    signal: 'SIGTERM',
    done: ['001_initial_schema', '002_add_semantic_search'],
    left: [],
  },
  REHEARSAL_COMMITTED: {
    migration: '003_add_scaling_tables',
    end: 'committed',
    statements: ['create table scaling ()'],
  },
  TABLE_NOT_TRUSTED: {
    table: 'public.knex_migrations',
    reasons: ['it belongs to the role mallory, of which app is not a member'],
    remedies: ['ALTER TABLE public.knex_migrations OWNER TO "app";'],
  },
  UNLOCK_REFUSED: { holder: null },
  ADOPT_MISMATCH: {
    problems: [{ migration: '002_add_semantic_search', problem: 'index idx_entry_embeddings_hnsw is missing' }],
  },
  REPLAY_FAILED: { migration: '002_add_semantic_search' },
  PLAN_FAILED: { migration: '004_add_maps', statement: 'create extension postgis', isApplied: false },
  MIGRATION_EXISTS: { name: 'add_tags', path: '/srv/app/migrations/004_add_tags.ts' },
  PARSER_NOT_INSTALLED: { missing: 'libpg-query' },
  EMBEDDED_NOT_INSTALLED: { missing: '@electric-sql/pglite' },
  EMBEDDED_NEEDS_FLAG: { flag: '--experimental-vm-modules' },
  EMBEDDED_IN_USE: { directory: '/srv/app/.pgdata', processId: 4711 },
}

function exampleOf<Code extends ErrorCode>(code: Code): PgvectorMigrationError<Code> {
  return new PgvectorMigrationError(code, examples[code])
}

/** The text under each heading of a level, by the heading. */
function sectionsOf(markdown: string, level: number): Record<string, string> {
  const parts = markdown.split(new RegExp(`^#{${level}} (.+)$`, 'm'))
  const sections: Record<string, string> = {}
  for (let index = 1; index < parts.length; index += 2) sections[parts[index] ?? ''] = parts[index + 1] ?? ''
  return sections
}

/** The code blocks of a language, also those inside a list. */
function fencesOf(markdown: string, language: string): string[] {
  const blocks = markdown.matchAll(new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)\\n *\`\`\`$`, 'gm'))
  return [...blocks].map(([, indent = '', code = '']) => code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''))
}

/** The rows of the table whose head begins with `start`, cell by cell. */
function tableAfter(markdown: string, start: string): string[][] {
  const [, ...rest] = markdown.slice(markdown.indexOf(`\n${start}`) + 1).split('\n')
  const end = rest.findIndex((line) => !line.startsWith('|'))
  const rows = rest.slice(1, end === -1 ? undefined : end)
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** Where the files are that are in the repository and not in the package. */
const OURS = /^https:\/\/github\.com\/knex-pgvector\/knex-pgvector\/(?:blob|tree)\/main\//

function linksOf(markdown: string): string[] {
  const links = [...markdown.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link.replace(OURS, '/'))
  return links.filter((link) => !/^https?:/.test(link))
}

function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => anchor(heading))
}

/** The anchor that GitHub gives a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-')
}

function unquoted(text: string | undefined): string {
  return (text ?? '').replaceAll('`', '')
}

/** The names that a module of ours exports, as its source says them. */
function exportsOf(file: string): string[] {
  const lists = [...read(file).matchAll(/^export (?:type )?\{([^}]*)\}/gm)].map(([, names = '']) => names)
  const declared = [...read(file).matchAll(/^export (?:async )?(?:function|const|class|interface|type) (\w+)/gm)]
  const listed = lists.flatMap((names) => names.split(',')).map((name) => name.replace(/^\s*(type )?/, '').trim())
  return [...listed, ...declared.map(([, name = '']) => name)].filter((name) => name !== '')
}
