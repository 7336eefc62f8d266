import { printable } from '../core/printable.ts'
import type { ComposedMigration } from './from-diff.ts'

/** The contents that a new migration can have. */
export const migrationKinds = ['blank', 'enable', 'column', 'index'] as const

export type MigrationKind = (typeof migrationKinds)[number]

/** The language of a migration file: TypeScript, JavaScript with import and export, or JavaScript with require. */
export type MigrationLanguage = 'typescript' | 'module' | 'commonjs'

/** A migration before it is written in a language: two functions, or composed operations. */
interface FunctionTemplate {
  readonly imports?: readonly string[]
  readonly summary: string
  readonly up: readonly string[]
  readonly down: readonly string[]
}

const templates = {
  blank: {
    summary: 'Describe here what this migration does.',
    up: ['await knex.raw(`select 1`)'],
    down: ['await knex.raw(`select 1`)'],
  },
  enable: {
    imports: ['dropPgvector', 'ensurePgvector'],
    summary: 'Enables pgvector.',
    up: ['await ensurePgvector(knex)'],
    down: [
      '// Keeps the extension while anything uses it, and if it existed before this migration.',
      'await dropPgvector(knex)',
    ],
  },
  column: {
    imports: ['AddVectorColumn', 'migration', 'vectorColumn'],
    comments: ['A column of embeddings. Use the number of dimensions that your model returns.'],
    constants: ["const embedding = vectorColumn('documents', 'embedding', { dimensions: 1536 })"],
    operations: ['new AddVectorColumn(embedding)'],
  },
  index: {
    imports: ['CreateVectorIndex', 'migration', 'vectorColumn'],
    comments: [
      'An index for search by cosine distance (<=>). It is built outside a transaction, without blocking writes.',
    ],
    constants: ["const embedding = vectorColumn('documents', 'embedding', { dimensions: 1536 })"],
    operations: ["new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })"],
  },
} as const satisfies Record<MigrationKind, FunctionTemplate | ComposedMigration>

/** Returns the text of a new migration file. */
export function migrationText(begin: MigrationKind | ComposedMigration, language: MigrationLanguage): string {
  const template: FunctionTemplate | ComposedMigration = typeof begin === 'string' ? templates[begin] : begin
  const paragraphs = 'operations' in template ? composed(template, language) : functions(template, language)
  const written = paragraphs.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'))
  return `${written.join('\n\n')}\n`
}

function composed(
  { imports, comments, constants, operations }: ComposedMigration,
  language: MigrationLanguage,
): string[][] {
  const list = operations.map((operation) => `  ${operation},`)
  const [before, after] =
    language === 'commonjs'
      ? ['Object.assign(exports, migration([', ']))']
      : ['export const { up, down, config } = migration([', '])']
  // A name may contain a line break, which would end the comment.
  const said = comments.map((comment) => `// ${printable(comment.replaceAll(/[\n\r\u2028\u2029]+/g, ' '))}`)
  return [[importLine(imports, language)], [...said, ...constants], [before, ...list, after]]
}

function functions({ imports = [], summary, up, down }: FunctionTemplate, language: MigrationLanguage): string[][] {
  return [
    [
      ...(language === 'typescript' ? ["import type { Knex } from 'knex'"] : []),
      ...(imports.length === 0 ? [] : [importLine(imports, language)]),
    ],
    [`/** ${summary} */`, ...declareFunction('up', up, language)],
    declareFunction('down', down, language),
  ]
}

function importLine(names: readonly string[], language: MigrationLanguage): string {
  const list = `{ ${names.join(', ')} }`
  return language === 'commonjs' ? `const ${list} = require('knex-pgvector')` : `import ${list} from 'knex-pgvector'`
}

function declareFunction(name: 'up' | 'down', body: readonly string[], language: MigrationLanguage): string[] {
  const head = {
    typescript: `export async function ${name}(knex: Knex): Promise<void> {`,
    module: `export async function ${name}(knex) {`,
    commonjs: `exports.${name} = async function ${name}(knex) {`,
  }[language]
  return [head, ...body.map((line) => `  ${line}`), '}']
}
