import type { ReadOnly } from '../../core/error-messages.ts'
import { PgvectorMigrationError } from '../../core/errors.ts'
import { identifier, literal, qualified } from '../../core/sql.ts'
import { databaseName } from '../../database/column-name.ts'
import { refuseReadOnly } from '../../database/read-only.ts'
import { readOnlySql } from '../../database/read-only-sql.ts'
import { isEmbeddedSql } from '../../database/server-facts.ts'
import type { Session } from '../../database/session.ts'
import { typeLimits, type VectorType } from '../../pgvector/vector-types.ts'
import { tableOf } from '../column.ts'
import { tableNumberSql } from '../table-rights.ts'
import type { Codec } from './codec.ts'
import { numberCodecs } from './number-codecs.ts'
import { otherCodecs } from './other-codecs.ts'
import { timeCodecs } from './time-codecs.ts'
import { vectorCodec } from './vector-codec.ts'

/** A table and the columns to copy, with how their values travel. */
export interface CopyTarget {
  /** As messages name it. */
  readonly label: string
  /** Quoted, with its schema. */
  readonly table: string
  readonly columns: readonly CopyColumn[]
  /** Whether COPY can stream into it. It cannot on the embedded database, into a view, or under row security. */
  readonly takesCopy: boolean
  readonly isEmbedded: boolean
}

/** A column to copy. */
export interface CopyColumn {
  /** Its name as the application writes it: the key of a row. */
  readonly key: string
  /** Its name in the database, quoted. */
  readonly name: string
  readonly codec: Codec
}

/** What is copied, as the caller names it. */
export interface CopyNames {
  readonly schema: string | null
  readonly table: string
  readonly columns: readonly string[]
}

interface FoundColumn {
  readonly name: string
  readonly oid: number
  readonly typeName: string
  /** The type as PostgreSQL prints it. */
  readonly declared: string
  readonly isPgvector: boolean
  readonly typmod: number
  readonly isGenerated: boolean
}

interface CopyFacts {
  readonly readOnly: ReadOnly | null
  readonly isEmbedded: boolean
  readonly extensionSchema: string | null
  readonly table: {
    readonly schema: string
    readonly name: string
    readonly kind: string
    readonly isRowSecured: boolean
    readonly columns: readonly FoundColumn[] | null
  } | null
}

const codecs = new Map([...numberCodecs, ...timeCodecs, ...otherCodecs].map((codec) => [codec.oid, codec]))

const VIEW = 'v'

/**
 * Reads how the columns of a table are copied.
 *
 * @throws {PgvectorMigrationError} RELATION_NOT_FOUND, READ_ONLY, or INVALID_OPTIONS for columns that do not exist or cannot be copied.
 */
export async function readCopyTarget(session: Session, names: CopyNames, isWritten: boolean): Promise<CopyTarget> {
  const { table, isEmbedded, extensionSchema, readOnly } = await session.ask<CopyFacts>(factsSql(names))
  if (table === null) throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: tableOf(names), kind: 'table' })
  if (isWritten) refuseReadOnly(readOnly)
  const found = new Map((table.columns ?? []).map((column) => [column.name, column]))
  const columns: CopyColumn[] = []
  const problems: string[] = []
  for (const key of names.columns) {
    const name = databaseName(session, key)
    const column = found.get(name)
    const codec = column === undefined ? undefined : codecOf(column, extensionSchema ?? 'public')
    if (column === undefined) problems.push(`columns: the table has no column ${name}`)
    else if (codec === undefined) problems.push(`columns: ${name} is ${column.declared}, ${instead(isWritten)}`)
    else if (isWritten && column.isGenerated)
      problems.push(`columns: ${name} is generated, so no value is stored in it`)
    else columns.push({ key, name: identifier(name), codec })
  }
  if (problems.length > 0) throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  return {
    label: names.schema === null ? names.table : `${names.schema}.${names.table}`,
    table: qualified(table.schema, table.name),
    columns,
    takesCopy: !isEmbedded && table.kind !== VIEW && !table.isRowSecured,
    isEmbedded,
  }
}

function instead(isWritten: boolean): string {
  const other = isWritten ? "Knex's batchInsert for these rows" : "Knex's select for these rows"
  return `a type that is not copied in binary. Omit it, or use ${other}`
}

function codecOf({ oid, typeName, isPgvector, typmod }: FoundColumn, extensionSchema: string): Codec | undefined {
  if (typeName === 'varbit') return vectorCodec('bit', null, extensionSchema)
  const isVector = typeName === 'bit' || isPgvector
  if (!isVector || !Object.hasOwn(typeLimits, typeName)) return codecs.get(oid)
  return vectorCodec(typeName as VectorType, typmod === -1 ? null : typmod, extensionSchema)
}

function factsSql({ schema, table }: CopyNames): string {
  const number = tableNumberSql({ schema, table })
  const extension = `(select extnamespace from pg_catalog.pg_extension where extname = ${literal('vector')})`
  return `select json_build_object(
    'isEmbedded', ${isEmbeddedSql}, 'readOnly', ${readOnlySql},
    'extensionSchema', (select nspname from pg_catalog.pg_namespace where oid = ${extension}),
    'table', (
      select json_build_object('schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
        'isRowSecured', row_security_active(c.oid), 'columns', (
          select json_agg(json_build_object('name', a.attname, 'oid', a.atttypid::bigint, 'typeName', t.typname,
            'declared', format_type(a.atttypid, a.atttypmod), 'isPgvector', t.typnamespace = ${extension},
            'typmod', a.atttypmod, 'isGenerated', a.attgenerated <> ''))
          from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        ))
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = ${number}
    )
  ) as state`
}
