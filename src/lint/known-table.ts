import type { ColumnType, MadeIndex, RelationName, TableChange } from './statement.ts'

/** An index of pgvector's methods, with its name and its column; null if unknown. */
export interface TableIndex {
  readonly name: string | null
  readonly column: string | null
  /** False if its build was interrupted, so that no query uses it. If it is omitted, it is assumed to be valid. */
  readonly isValid?: boolean | undefined
}

/** A table as it is in the database before the first of the migrations. */
export interface KnownTable extends RelationName {
  /** Whether the name without a schema resolves to this table. */
  readonly isVisible: boolean
  readonly hasRows: boolean
  /** Whether its rows are in partitions. If it is omitted, an index `on only` the table is assumed to build nothing. */
  readonly isPartitioned?: boolean | undefined
  /** Its columns that hold vectors or bits. */
  readonly columns: readonly { readonly name: string; readonly type: ColumnType }[]
  /** Its hnsw and ivfflat indexes. If they are omitted, every column of vectors or bits is assumed to have one. */
  readonly indexes?: readonly TableIndex[] | undefined
}

/** What is known about a table at a point of a plan. */
export interface Table extends RelationName {
  readonly isVisible: boolean
  /** Whether all columns that hold vectors are known. */
  readonly isKnown: boolean
  /** The migration that creates it; null if it existed before. */
  readonly madeIn: string | null
  readonly hasRows: boolean
  /**
   * The migration that created or emptied it. Only that migration can be sure that no other session has written to it
   * since.
   */
  readonly emptySince: string | null
  /** Null if unknown. */
  readonly isPartitioned: boolean | null
  readonly columns: ReadonlyMap<string, ColumnType | null>
  /** Null if unknown. */
  readonly indexes: readonly TableIndex[] | null
  /** Columns that may have held vectors, with the migration that dropped them. */
  readonly dropped: ReadonlyMap<string, string>
}

export function tableFrom({ columns, indexes, isPartitioned, ...table }: KnownTable): Table {
  return {
    ...table,
    madeIn: null,
    emptySince: null,
    isPartitioned: isPartitioned ?? null,
    columns: new Map(columns.map(({ name, type }) => [name, type])),
    indexes: indexes ?? (columns.length === 0 ? [] : null),
    isKnown: true,
    dropped: new Map(),
  }
}

/** Returns a table about which nothing was known, with everything that it may contain. */
export function unknownTable(name: RelationName): Table {
  return {
    ...name,
    isVisible: name.schema === null,
    madeIn: null,
    hasRows: true,
    emptySince: null,
    isPartitioned: null,
    columns: new Map(),
    indexes: null,
    isKnown: false,
    dropped: new Map(),
  }
}

/** Whether a table, or this column of it, may have an index of pgvector's methods. */
export function mayBeIndexed({ indexes }: Table, column?: string): boolean {
  if (indexes === null) return true
  return indexes.some((index) => column === undefined || index.column === column)
}

/** Whether a table has a vector column. A bit column counts if it has a vector index. */
export function hasVectors(table: Table): boolean {
  return [...table.columns.keys()].some((name) => mayHoldVectors(table, name))
}

export function withIndex(table: Table, { name, column }: MadeIndex): Table {
  return { ...table, indexes: table.indexes === null ? null : [...table.indexes, { name, column }] }
}

/** Whether a column holds vectors or, if nothing is known about it, may hold them. Bits count if they are indexed. */
export function mayHoldVectors(table: Table, column: string): boolean {
  const type = table.columns.get(column)
  if (type === undefined || type === null) return type === undefined && !table.isKnown
  return type.type !== 'bit' || (table.indexes !== null && mayBeIndexed(table, column))
}

/** Returns a table after a change to it in a migration. */
export function changed(table: Table, change: TableChange, migration: string): Table {
  const columns = new Map(table.columns)
  switch (change.kind) {
    case 'column':
      columns.set(change.column.name, change.column.type)
      return { ...table, columns }
    case 'drop column':
      columns.delete(change.column)
      return {
        ...table,
        columns,
        indexes: table.indexes?.filter(({ column }) => column !== change.column) ?? null,
        dropped: mayHoldVectors(table, change.column)
          ? new Map([...table.dropped, [change.column, migration]])
          : table.dropped,
      }
    case 'rename column':
      columns.set(change.to, table.columns.get(change.column) ?? null)
      columns.delete(change.column)
      return { ...table, columns, indexes: table.indexes?.map((index) => renamed(index, change)) ?? null }
    case 'rename':
      return { ...table, name: change.to }
    case 'move':
      return { ...table, schema: change.to }
  }
}

function renamed(index: TableIndex, { column, to }: { readonly column: string; readonly to: string }): TableIndex {
  return index.column === column ? { ...index, column: to } : index
}
