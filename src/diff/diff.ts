import { glance } from '../extension/glance.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { parseSchemaOptions, type SchemaOptions } from '../core/schema-options.ts'
import { identifier, isInSchema, literal } from '../core/sql.ts'
import { columnDeclaration, columnLabel, isSameColumn } from '../columns/facts.ts'
import { readColumns, type FoundColumn } from '../columns/read-columns.ts'
import { isVectorColumn, type VectorColumn } from '../columns/column.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { isEmbedding, type Embedding } from '../embeddings/embedding.ts'
import { readInStepState } from '../embeddings/state.ts'
import { isTenantRule, type TenantRule } from '../indexes/tenants/rule.ts'
import { isVectorIndex, type VectorIndex } from '../indexes/vector-index.ts'
import { indexMethodsSql } from '../pgvector/index-methods.ts'
import { compareIndexes } from './compare-indexes.ts'
import type { VectorDifference } from './difference.ts'

/** The vectors that an application declares. */
export interface DeclaredVectors {
  readonly columns: readonly VectorColumn[]
  /** The columns of these indexes count as declared too. */
  readonly indexes: readonly VectorIndex[]
  /** The columns of these embeddings count as declared too. */
  readonly embeddings?: readonly Embedding[] | undefined
  /** The rules by which tenants have indexes of their own. Those of a declared index need no rule here. */
  readonly tenants?: readonly TenantRule[] | undefined
}

const declaredVectors = lazySchema((z) =>
  z.strictObject({
    columns: z.array(z.custom<VectorColumn>(isVectorColumn, 'must be created by vectorColumn'), 'must be a list'),
    indexes: z.array(z.custom<VectorIndex>(isVectorIndex, 'must be created by vectorIndex'), 'must be a list'),
    embeddings: z.array(z.custom<Embedding>(isEmbedding, 'must be created by embedding'), 'must be a list').optional(),
    tenants: z.array(z.custom<TenantRule>(isTenantRule, 'must be created by tenantRule'), 'must be a list').optional(),
  }),
)

/**
 * Compares declared columns and indexes with a database. It writes nothing. An equal index with another name counts as
 * present. With `schema`, only what is there counts as not declared.
 *
 * @example const differences = await diffVectors(knex, { columns: [embedding], indexes: [byAngle] })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS or UNSUPPORTED_DATABASE.
 */
export async function diffVectors(
  db: Database,
  declared: DeclaredVectors,
  options: SchemaOptions = {},
): Promise<VectorDifference[]> {
  const { schema } = parseSchemaOptions(options)
  const { columns: own, indexes, embeddings = [], tenants = [] } = parseOptions(declaredVectors, declared)
  const session = sessionOf(db)
  const columns = unique([
    ...own,
    ...[...indexes, ...embeddings].map(({ column }) => column),
    ...tenants.map(({ index }) => index.column),
  ])
  const { installed } = await glance(session)
  const found = new Map(await readByKey(session, columns))
  const differences: VectorDifference[] = []
  const seen = new Set<string>()
  for (const column of columns) {
    const { table, column: existing, hasRows } = found.get(columnKey(column)) ?? missing
    if (table !== null) seen.add(keyOf(table.schema, table.name, column.name))
    const name = columnLabel(column)
    if (existing === null) differences.push({ kind: 'column missing', name, column, hasRows: hasRows === true })
    else if (!isSameColumn(existing, column)) {
      const wanted = columnDeclaration(column)
      differences.push({ kind: 'column differs', name, column, existing: columnDeclaration(existing), wanted })
    }
  }
  const place = (index: VectorIndex, isOfTenants: boolean) => ({
    index,
    table: found.get(columnKey(index.column))?.table ?? null,
    isOfTenants,
  })
  const placed = [
    ...indexes.map((index) => place(index, false)),
    ...tenants.map(({ index }) => place({ ...index }, true)),
  ]
  const compared = await compareIndexes(session, placed, installed?.schema ?? 'public')
  differences.push(...compared.differences)
  for (const embedding of embeddings) {
    const existing = found.get(columnKey(embedding.column))?.column ?? null
    // Otherwise, the column is reported already.
    if (existing === null || !isSameColumn(existing, { ...embedding.column, notNull: existing.notNull })) continue
    const { label, problems } = await readInStepState(session, embedding)
    if (problems.length === 0) continue
    const said = problems.map(({ object, problem }) => `${object} ${problem}`)
    differences.push({ kind: 'not kept in step', name: label, embedding, problems: said })
  }
  const isExtensionMissing = installed === null && differences.some(needsExtension)
  const extension = isExtensionMissing ? [{ kind: 'extension missing', name: 'vector' } as const] : []
  const there = await readVectors(session, compared.found, schema)
  return [...extension, ...differences, ...undeclared(there, seen)]
}

const missing: FoundColumn = { table: null, column: null, hasRows: null }

async function readByKey(
  session: Session,
  columns: readonly VectorColumn[],
): Promise<readonly (readonly [string, FoundColumn])[]> {
  const found = await readColumns(session, columns)
  return columns.map((column, place) => [columnKey(column), found[place] ?? missing])
}

// The type bit belongs to PostgreSQL, but an index on a bit column needs the extension.
function needsExtension(difference: VectorDifference): boolean {
  if (difference.kind === 'column missing') return difference.column.type !== 'bit'
  return difference.kind === 'index missing'
}

function unique(columns: readonly VectorColumn[]): VectorColumn[] {
  return [...new Map(columns.map((column) => [columnKey(column), column])).values()]
}

function columnKey({ schema, table, name }: VectorColumn): string {
  return keyOf(schema ?? '', table, name)
}

function keyOf(...names: readonly string[]): string {
  return names.map(identifier).join('.')
}

/** The columns of a database that hold vectors, and its vector indexes except the declared ones. */
interface ExistingVectors {
  readonly columns: readonly {
    readonly schema: string
    readonly table: string
    readonly column: string
    readonly type: string
  }[]
  readonly indexes: readonly { readonly name: string; readonly definition: string }[]
}

function undeclared({ columns, indexes }: ExistingVectors, seen: ReadonlySet<string>): VectorDifference[] {
  return [
    ...columns
      .filter(({ schema, table, column }) => !seen.has(keyOf(schema, table, column)))
      .map(({ schema, table, column, type }) => ({
        kind: 'column not declared' as const,
        name: `${schema}.${table}.${column}`,
        existing: type,
      })),
    ...indexes.map(({ name, definition }) => ({ kind: 'index not declared' as const, name, existing: definition })),
  ]
}

// The columns and indexes of a partition belong to its parent table. A bit string may be anything, so only pgvector's
// own types count.
function readVectors(session: Session, declared: readonly number[], schema?: string): Promise<ExistingVectors> {
  return session.ask(`select json_build_object(
      'columns', (
        select coalesce(json_agg(json_build_object('schema', n.nspname, 'table', c.relname, 'column', a.attname,
          'type', t.typname || coalesce('(' || nullif(a.atttypmod, -1) || ')', '')) order by n.nspname, c.relname, a.attnum), '[]')
        from pg_catalog.pg_extension e
        join pg_catalog.pg_type t on t.typnamespace = e.extnamespace and t.typname in ('vector', 'halfvec', 'sparsevec')
        join pg_catalog.pg_attribute a on a.atttypid = t.oid and a.attnum > 0 and not a.attisdropped
        join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p') and not c.relispartition
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where e.extname = 'vector' and c.relpersistence <> 't' and ${isInSchema('n.nspname', schema)}
      ),
      'indexes', (
        select coalesce(json_agg(json_build_object('name', format('%I.%I', n.nspname, c.relname),
          'definition', pg_get_indexdef(c.oid)) order by n.nspname, c.relname), '[]')
        from pg_catalog.pg_class c
        join pg_catalog.pg_am m on m.oid = c.relam and m.amname in ${indexMethodsSql}
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('i', 'I') and not c.relispartition and c.relpersistence <> 't'
          and ${isInSchema('n.nspname', schema)}
          and c.oid <> all (${literal(`{${declared.join(',')}}`)}::oid[])
      )
    ) as state`)
}
