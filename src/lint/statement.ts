import type { VectorType } from '../pgvector/vector-types.ts'
import type { IndexMethod } from '../pgvector/index-methods.ts'

/** A table or an index as a statement names it. */
export interface RelationName {
  /** Null if the search path resolves it. */
  readonly schema: string | null
  readonly name: string
}

/** The type of a column that holds vectors, or bits. */
export interface ColumnType {
  readonly type: VectorType
  /** Null if values of any length are allowed. */
  readonly dimensions: number | null
}

/** A column; its type is null if it holds something else. */
export interface Column {
  readonly name: string
  readonly type: ColumnType | null
}

export interface MadeTable {
  readonly table: RelationName
  readonly columns: readonly Column[]
  /** Tables whose columns it copies. */
  readonly like: readonly RelationName[]
  /** `if not exists`: nothing is created if it already exists. */
  readonly isConditional: boolean
  readonly hasRows: boolean
  /** Whether its rows are in partitions. */
  readonly isPartitioned: boolean
}

export interface NamedIndex {
  readonly name: string
  readonly table: RelationName
}

/** The definition of an index of pgvector's methods, which accept one column or expression. */
export interface MadeIndex {
  readonly table: RelationName
  /** Null if PostgreSQL chooses the name. */
  readonly name: string | null
  readonly method: IndexMethod
  readonly isConcurrent: boolean
  /** `if not exists`: nothing is built if the name already exists. */
  readonly isConditional: boolean
  /** `on only`: an index on a partitioned table without indexes on its partitions, which builds nothing. */
  readonly isOnly: boolean
  /** The indexed column; null if there is none. */
  readonly column: string | null
  /** The type to which the column is cast; null if it is indexed unchanged, or by an unknown expression. */
  readonly cast: ColumnType | null
  /** Whether the column itself is indexed. */
  readonly isPlain: boolean
  /** Null if none is named. */
  readonly operatorClass: string | null
  /** The names of its storage parameters, in WITH. */
  readonly parameters: readonly string[]
}

/** A statement with CONCURRENTLY, which PostgreSQL refuses in a transaction. */
export interface Concurrent {
  readonly what: 'CREATE INDEX' | 'REINDEX' | 'DROP INDEX'
  /** Null if PostgreSQL chooses the name, or if it is not an index. */
  readonly name: string | null
}

/** What a statement removes from rows that stay, or all rows. */
export interface Cleared {
  readonly table: RelationName
  /** The column that is set to null; null if DELETE removes every row. */
  readonly column: string | null
}

/** A function with the parameters that are vectors. */
export interface Routine {
  readonly name: RelationName
  readonly parameters: readonly Column[]
  readonly body: string
}

/** An index of another method than pgvector's. */
export interface OtherIndex {
  readonly table: RelationName
  /** Null if PostgreSQL chooses the name. */
  readonly name: string | null
  readonly method: string
  readonly isUnique: boolean
  /** The columns that are indexed unchanged. */
  readonly columns: readonly string[]
}

/** What REINDEX rebuilds while it blocks writes. */
export interface Rebuild {
  readonly what: 'index' | 'table' | 'schema' | 'database'
  /** Null for the database, which can only be the current one. */
  readonly name: RelationName | null
}

/** A change to the known facts about a table, or about an index with that name. */
export type TableChange =
  | {
      readonly kind: 'column'
      readonly table: RelationName
      readonly column: Column
      readonly isNew: boolean
      /** Whether USING computes new values from the existing ones. */
      readonly isComputed: boolean
    }
  | { readonly kind: 'drop column'; readonly table: RelationName; readonly column: string }
  | { readonly kind: 'rename column'; readonly table: RelationName; readonly column: string; readonly to: string }
  | { readonly kind: 'rename'; readonly table: RelationName; readonly to: string }
  | { readonly kind: 'move'; readonly table: RelationName; readonly to: string }

/** An object that is dropped. */
export interface Drop {
  /** Its kind, as in `drop …`: extension, table, column…; rows for TRUNCATE. */
  readonly what: string
  readonly names: readonly RelationName[]
  readonly isCascade: boolean
}

/** What a statement does, as far as the rules need it. */
export interface Statement {
  readonly makes: readonly MadeTable[]
  readonly index: MadeIndex | null
  readonly otherIndex: OtherIndex | null
  readonly rebuild: Rebuild | null
  readonly concurrent: Concurrent | null
  /** The index that it creates, if named, of any method. */
  readonly named: NamedIndex | null
  readonly changes: readonly TableChange[]
  readonly drops: readonly Drop[]
  /** The relations that it locks so that other sessions cannot write to them, or not even read them. */
  readonly locks: readonly RelationName[]
  readonly fills: readonly RelationName[]
  /** The tables that have no rows afterwards. */
  readonly empties: readonly RelationName[]
  /** Whether later statements wait for locks without a limit; null if the statement does not set this. */
  readonly lockTimeout: { readonly isSet: boolean; readonly isLocal: boolean } | null
  readonly clears: readonly Cleared[]
  readonly control: 'begin' | 'end' | null
  /** The text of a function or a view. */
  readonly query: string | null
  readonly routine: Routine | null
  /** Whether it runs code that is not checked. */
  readonly isOpaque: boolean
  /** Whether the migration creates it and does not wait for it. */
  readonly isUnawaited: boolean
}

/** A statement that is irrelevant to the rules. */
export const nothing: Statement = {
  makes: [],
  index: null,
  otherIndex: null,
  rebuild: null,
  concurrent: null,
  named: null,
  changes: [],
  drops: [],
  locks: [],
  fills: [],
  empties: [],
  clears: [],
  lockTimeout: null,
  control: null,
  query: null,
  routine: null,
  isOpaque: false,
  isUnawaited: false,
}
