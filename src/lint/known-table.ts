import type { ColumnType, MadeIndex, RelationName, TableChange } from './statement.ts'

/** An index of pgvector's, by its name and the column that it is about; null where that is not known. */
export interface TableIndex {
  readonly name: string | null
  readonly column: string | null
}

/** A table as a database has it before the first of the migrations. */
export interface KnownTable extends RelationName {
  /** Whether a name without a schema means this one. */
  readonly isVisible: boolean
  readonly hasRows: boolean
  /** Whether its rows are in partitions; left out, an index `on only` it is taken to build nothing. */
  readonly isPartitioned?: boolean | undefined
  /** Its columns that hold vectors or bits. */
  readonly columns: readonly { readonly name: string; readonly type: ColumnType }[]
  /** Its hnsw and ivfflat indexes; left out, every column of vectors or bits is taken to have one. */
  readonly indexes?: readonly TableIndex[] | undefined
}

/** What is known of a table at some point of a plan. */
export interface Table extends RelationName {
  readonly isVisible: boolean
  /** The migration that makes it; null where it was there before. */
  readonly madeIn: string | null
  readonly hasRows: boolean
  /** The migration that made or emptied it; only that one can be sure that nobody has written to it since. */
  readonly emptySince: string | null
  /** Null where that is not known. */
  readonly isPartitioned: boolean | null
  readonly columns: ReadonlyMap<string, ColumnType | null>
  /** Null where they are not known. */
  readonly indexes: readonly TableIndex[] | null
}

export function tableFrom({ columns, indexes, isPartitioned, ...table }: KnownTable): Table {
  return {
    ...table,
    madeIn: null,
    emptySince: null,
    isPartitioned: isPartitioned ?? null,
    columns: new Map(columns.map(({ name, type }) => [name, type])),
    indexes: indexes ?? (columns.length === 0 ? [] : null),
  }
}

/** A table that nothing was known of, with all that may be in it. */
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
  }
}

/** Whether an index of pgvector's may be on a table, or on this column of it. */
export function mayBeIndexed({ indexes }: Table, column?: string): boolean {
  if (indexes === null) return true
  return indexes.some((index) => column === undefined || index.column === column)
}

/** Whether a table has a column of vectors; bits are some where they are indexed as such. */
export function hasVectors(table: Table): boolean {
  return [...table.columns].some(
    ([name, type]) => type !== null && (type.type !== 'bit' || (table.indexes !== null && mayBeIndexed(table, name))),
  )
}

export function withIndex(table: Table, { name, column }: MadeIndex): Table {
  return { ...table, indexes: table.indexes === null ? null : [...table.indexes, { name, column }] }
}

/** A table after a change to it. */
export function changed(table: Table, change: TableChange): Table {
  const columns = new Map(table.columns)
  switch (change.kind) {
    case 'column':
      columns.set(change.column.name, change.column.type)
      return { ...table, columns }
    case 'drop column':
      columns.delete(change.column)
      return { ...table, columns, indexes: table.indexes?.filter(({ column }) => column !== change.column) ?? null }
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
