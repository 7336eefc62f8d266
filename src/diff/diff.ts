import { glance } from '../extension/glance.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { identifier } from '../core/sql.ts'
import { columnDeclaration, columnLabel, isSameColumn, readColumnFacts } from '../columns/facts.ts'
import { isVectorColumn, type VectorColumn } from '../columns/column.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { isEqual } from '../indexes/decide/equal.ts'
import { readCatalogFacts } from '../indexes/look/read-facts.ts'
import { indexDefinition, isVectorIndex, type VectorIndex } from '../indexes/vector-index.ts'
import { indexMethodsSql } from '../pgvector/index-methods.ts'

/** The vectors that an application declares. */
export interface DeclaredVectors {
  readonly columns: readonly VectorColumn[]
  /** The columns of these indexes count as declared too. */
  readonly indexes: readonly VectorIndex[]
}

const declaredVectors = lazySchema((z) =>
  z.strictObject({
    columns: z.array(z.custom<VectorColumn>(isVectorColumn, 'must be created by vectorColumn'), 'must be a list'),
    indexes: z.array(z.custom<VectorIndex>(isVectorIndex, 'must be created by vectorIndex'), 'must be a list'),
  }),
)

/** A difference between a database and its declaration. */
export type VectorDifference =
  /** Something that is missing needs the extension. */
  | { readonly kind: 'extension missing'; readonly name: string }
  | {
      readonly kind: 'column missing'
      readonly name: string
      readonly column: VectorColumn
      /**
       * Whether the table has rows, which would have no value in the new column, according to its size and statistics.
       */
      readonly hasRows: boolean
    }
  | {
      readonly kind: 'column differs'
      readonly name: string
      readonly column: VectorColumn
      readonly existing: string
      readonly wanted: string
    }
  | { readonly kind: 'column not declared'; readonly name: string; readonly existing: string }
  | { readonly kind: 'index missing'; readonly name: string; readonly index: VectorIndex }
  | { readonly kind: 'index invalid'; readonly name: string; readonly index: VectorIndex }
  | {
      readonly kind: 'index differs'
      readonly name: string
      readonly existing: string
      readonly wanted: string
    }
  | { readonly kind: 'index not declared'; readonly name: string; readonly existing: string }

/**
 * Compares declared columns and indexes with a database. It writes nothing. An equal index with another name counts as
 * present.
 *
 * @example const differences = await diffVectors(knex, { columns: [embedding], indexes: [byAngle] })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS or UNSUPPORTED_DATABASE.
 */
export async function diffVectors(db: Database, declared: DeclaredVectors): Promise<VectorDifference[]> {
  const { columns: own, indexes } = parseOptions(declaredVectors, declared)
  const session = sessionOf(db)
  const columns = unique([...own, ...indexes.map(({ column }) => column)])
  const there = await readVectors(session)
  const differences: VectorDifference[] = []
  const seen = new Set<string>()
  for (const column of columns) {
    const { table, column: existing } = await readColumnFacts(session, column)
    if (table !== null) seen.add(keyOf(table.schema, table.name, column.name))
    const name = columnLabel(column)
    if (existing === null) {
      const hasRows = table !== null && (await mayHaveRows(session, table.oid))
      differences.push({ kind: 'column missing', name, column, hasRows })
    } else if (!isSameColumn(existing, column)) {
      const wanted = columnDeclaration(column)
      differences.push({ kind: 'column differs', name, column, existing: columnDeclaration(existing), wanted })
    }
  }
  for (const index of indexes) {
    const { difference, found } = await diffIndex(session, index)
    if (difference !== null) differences.push(difference)
    for (const oid of found) seen.add(String(oid))
  }
  const isExtensionMissing = differences.some(needsExtension) && (await glance(session)).installed === null
  const extension = isExtensionMissing ? [{ kind: 'extension missing', name: 'vector' } as const] : []
  return [...extension, ...differences, ...undeclared(there, seen)]
}

// The type bit belongs to PostgreSQL, but an index on a bit column needs the extension.
function needsExtension(difference: VectorDifference): boolean {
  if (difference.kind === 'column missing') return difference.column.type !== 'bit'
  return difference.kind === 'index missing'
}

function unique(columns: readonly VectorColumn[]): VectorColumn[] {
  return [...new Map(columns.map((column) => [keyOf(column.schema ?? '', column.table, column.name), column])).values()]
}

function keyOf(...names: readonly string[]): string {
  return names.map(identifier).join('.')
}

// Reads the catalog, so that a comparison needs no privilege to read the table.
function mayHaveRows(session: Session, table: number): Promise<boolean> {
  return session.ask(`select to_json(exists (
      select from pg_catalog.pg_class c
      where (c.oid = ${table} or c.oid in (select relid from pg_catalog.pg_partition_tree(${table})))
        and (c.relkind = 'f' or c.reltuples > 0
          or c.relkind in ('r', 'm') and coalesce(pg_catalog.pg_relation_size(c.oid), 0) > 0)
    )) as state`)
}

async function diffIndex(
  session: Session,
  index: VectorIndex,
): Promise<{ readonly difference: VectorDifference | null; readonly found: readonly number[] }> {
  const facts = await readCatalogFacts(session, index)
  const { name } = index
  const equal = facts.indexes.filter((existing) => isEqual(existing, index, facts))
  const found = equal.map(({ oid }) => oid)
  if (equal.some(({ isValid }) => isValid)) return { difference: null, found }
  if (equal.length > 0) return { difference: { kind: 'index invalid', name, index }, found }
  const namesake = facts.indexes.find((existing) => existing.name === name)
  if (namesake === undefined) return { difference: { kind: 'index missing', name, index }, found }
  const definition = indexDefinition(index, facts.extension?.schema ?? 'public')
  const wanted = `CREATE INDEX ${identifier(name)} ${definition}`
  return { difference: { kind: 'index differs', name, existing: namesake.definition, wanted }, found: [namesake.oid] }
}

/** The vectors of a database, each under its own key. */
interface ExistingVectors {
  readonly columns: readonly {
    readonly schema: string
    readonly table: string
    readonly column: string
    readonly type: string
  }[]
  readonly indexes: readonly { readonly oid: number; readonly name: string; readonly definition: string }[]
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
    ...indexes
      .filter(({ oid }) => !seen.has(String(oid)))
      .map(({ name, definition }) => ({ kind: 'index not declared' as const, name, existing: definition })),
  ]
}

// The columns and indexes of a partition belong to its parent table. A bit string may be anything, so only pgvector's
// own types count.
function readVectors(session: Session): Promise<ExistingVectors> {
  return session.ask(`select json_build_object(
      'columns', (
        select coalesce(json_agg(json_build_object('schema', n.nspname, 'table', c.relname, 'column', a.attname,
          'type', t.typname || coalesce('(' || nullif(a.atttypmod, -1) || ')', '')) order by n.nspname, c.relname, a.attnum), '[]')
        from pg_catalog.pg_extension e
        join pg_catalog.pg_type t on t.typnamespace = e.extnamespace and t.typname in ('vector', 'halfvec', 'sparsevec')
        join pg_catalog.pg_attribute a on a.atttypid = t.oid and a.attnum > 0 and not a.attisdropped
        join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p') and not c.relispartition
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where e.extname = 'vector' and c.relpersistence <> 't'
      ),
      'indexes', (
        select coalesce(json_agg(json_build_object('oid', c.oid::bigint, 'name', format('%I.%I', n.nspname, c.relname),
          'definition', pg_get_indexdef(c.oid)) order by n.nspname, c.relname), '[]')
        from pg_catalog.pg_class c
        join pg_catalog.pg_am m on m.oid = c.relam and m.amname in ${indexMethodsSql}
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('i', 'I') and not c.relispartition and c.relpersistence <> 't'
      )
    ) as state`)
}
