import { PgvectorMigrationError } from '../core/errors.ts'
import { MIN_POSTGRES_MAJOR } from '../core/options.ts'
import { parseSchemaOptions, type SchemaOptions } from '../core/schema-options.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { dependentObjectsSql, mentionsSql, vectorColumnsSql } from './dependents-sql.ts'
import { glance } from './glance.ts'

/** An object that would break or lose data if the extension were dropped. */
export interface Dependent {
  /** The kind of object, as PostgreSQL calls it: table column, index, view, function, extension… */
  readonly kind: string
  readonly schema: string | null
  /** Its name with its schema, quoted if necessary, ready for use in a statement. */
  readonly name: string
  /** PostgreSQL's description of it: column embedding of table documents. */
  readonly description: string
  /** The type of a column, and the types between it and the extension's type, if any. */
  readonly type?: string
}

/** An object that PostgreSQL does not check. It would remain, and fail when it is next used. */
export interface Mention {
  readonly kind: 'function' | 'setting'
  readonly name: string
  readonly description: string
}

/** Everything that uses pgvector in this database. */
export interface Dependents {
  /** Objects that block `drop extension`, ordered by kind and name. */
  readonly objects: readonly Dependent[]
  /** Objects that do not block it, and can only be found by reading their source. */
  readonly mentions: readonly Mention[]
}

/**
 * Finds everything in this database that uses pgvector: columns of its types through arrays, domains, composite
 * types, ranges and partitions; indexes, views, functions, defaults, checks, policies, casts, other extensions.
 *
 * @example
 * const { objects } = await findDependents(knex)
 * for (const { kind, name } of objects) console.log(`${kind} ${name}`)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, UNSUPPORTED_DATABASE or POSTGRES_TOO_OLD.
 */
export async function findDependents(db: Database, options: SchemaOptions = {}): Promise<Dependents> {
  const { schema } = parseSchemaOptions(options)
  const session = sessionOf(db)
  const { server } = await glance(session)
  if (server.major < MIN_POSTGRES_MAJOR) {
    throw new PgvectorMigrationError('POSTGRES_TOO_OLD', { version: server.version, requiredMajor: MIN_POSTGRES_MAJOR })
  }
  return readDependents(session, schema)
}

/** Finds the same, without checking the version of the server. */
export async function readDependents(session: Session, schema?: string): Promise<Dependents> {
  const [objects, columns, mentions] = (await session.askEach([
    dependentObjectsSql(schema),
    vectorColumnsSql(schema),
    mentionsSql(schema),
  ])) as [Dependent[], Dependent[], Mention[]]
  return { objects: merge(objects, columns), mentions }
}

// The second query knows the types of columns. It also finds columns that hold vectors inside another type. PostgreSQL
// does not count these as dependents, but their data would be lost although the column remains.
function merge(objects: readonly Dependent[], columns: readonly Dependent[]): Dependent[] {
  const typed = new Map(columns.map((column) => [column.name, column]))
  const known = objects.map((object) => typed.get(object.name) ?? object)
  const names = new Set(objects.map(({ name }) => name))
  const nested = columns.filter(({ name }) => !names.has(name))
  return [...known, ...nested].toSorted((a, b) => compare(a.kind, b.kind) || compare(a.name, b.name))
}

function compare(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}

/** Returns a one-line summary: 2 table columns, 1 index (public.documents.embedding, …). */
export function summarise(objects: readonly Dependent[]): string {
  const counts = new Map<string, number>()
  for (const { kind } of objects) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  const kinds = [...counts].map(([kind, count]) => `${count} × ${kind}`).join(', ')
  const names = objects.slice(0, 5).map(({ name }) => name)
  return `${kinds}: ${names.join(', ')}${objects.length > names.length ? ', …' : ''}`
}
