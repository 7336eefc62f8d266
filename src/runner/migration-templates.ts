/** What a new migration can be begun with. */
export const migrationKinds = ['blank', 'enable', 'column', 'index'] as const

export type MigrationKind = (typeof migrationKinds)[number]

/** How a migration file is written: TypeScript, JavaScript with import and export, or with require. */
export type MigrationLanguage = 'typescript' | 'module' | 'commonjs'

/** A migration before it is written in a language. */
interface Template {
  readonly imports?: readonly string[]
  readonly summary: string
  readonly constants?: readonly string[]
  readonly up: readonly string[]
  readonly down: readonly string[]
  /** What is said above `export const config = { transaction: false }`; without it, a transaction is what it gets. */
  readonly noTransaction?: string
}

const templates = {
  blank: {
    summary: 'Says here what it does, for those who read it in a year.',
    up: ['await knex.raw(`select 1`)'],
    down: ['await knex.raw(`select 1`)'],
  },
  enable: {
    imports: ['dropPgvector', 'ensurePgvector'],
    summary: 'Enables pgvector.',
    up: ['await ensurePgvector(knex)'],
    down: [
      '// Leaves the extension alone while anything uses it, and where it was there before.',
      'await dropPgvector(knex)',
    ],
  },
  column: {
    summary: 'Adds a column of embeddings. The number of dimensions is that of the model.',
    constants: ["const table = 'documents'", "const column = 'embedding'", 'const dimensions = 1536'],
    up: ['await knex.raw(`alter table ${table} add column ${column} vector(${dimensions})`)'],
    down: ['await knex.raw(`alter table ${table} drop column ${column}`)'],
  },
  index: {
    summary: 'Builds an index for search by cosine distance (<=>), while the table stays in use.',
    constants: ["const table = 'documents'", "const column = 'embedding'", "const index = 'documents_embedding_hnsw'"],
    noTransaction: 'An index cannot be built concurrently in a transaction.',
    up: [
      '// A build that was stopped leaves an invalid index behind, which `if not exists` would take for a good one.',
      'const invalid = await knex.raw(`',
      "  select from pg_index where indexrelid = to_regclass('${index}') and not indisvalid",
      '`)',
      'if (invalid.rows.length > 0) await knex.raw(`drop index concurrently ${index}`)',
      'await knex.raw(`',
      '  create index concurrently if not exists ${index} on ${table} using hnsw (${column} vector_cosine_ops)',
      '`)',
    ],
    down: ['await knex.raw(`drop index concurrently if exists ${index}`)'],
  },
} as const satisfies Record<MigrationKind, Template>

/** The text of a new migration file. */
export function migrationText(kind: MigrationKind, language: MigrationLanguage): string {
  const { imports = [], summary, constants = [], up, down, noTransaction }: Template = templates[kind]
  const paragraphs = [
    importLines(imports, language),
    constants,
    noTransaction === undefined
      ? []
      : [`// ${noTransaction}`, declaration('config', '{ transaction: false }', language)],
    [`/** ${summary} */`, ...declareFunction('up', up, language)],
    declareFunction('down', down, language),
  ]
  const written = paragraphs.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'))
  return `${written.join('\n\n')}\n`
}

function importLines(names: readonly string[], language: MigrationLanguage): string[] {
  const list = `{ ${names.join(', ')} }`
  const ours =
    language === 'commonjs' ? `const ${list} = require('knex-pgvector')` : `import ${list} from 'knex-pgvector'`
  return [
    ...(language === 'typescript' ? ["import type { Knex } from 'knex'"] : []),
    ...(names.length === 0 ? [] : [ours]),
  ]
}

function declaration(name: string, value: string, language: MigrationLanguage): string {
  return language === 'commonjs' ? `exports.${name} = ${value}` : `export const ${name} = ${value}`
}

function declareFunction(name: 'up' | 'down', body: readonly string[], language: MigrationLanguage): string[] {
  const head = {
    typescript: `export async function ${name}(knex: Knex): Promise<void> {`,
    module: `export async function ${name}(knex) {`,
    commonjs: `exports.${name} = async function ${name}(knex) {`,
  }[language]
  return [head, ...body.map((line) => `  ${line}`), '}']
}
