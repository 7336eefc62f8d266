import type { VectorType } from '../pgvector/vector-types.ts'
import type { IndexMethod } from '../pgvector/index-methods.ts'

/** A table or an index as a statement names it. */
export interface RelationName {
  /** Null where the search path is to find it. */
  readonly schema: string | null
  readonly name: string
}

/** The type of a column that holds vectors, or bits. */
export interface ColumnType {
  readonly type: VectorType
  /** Null where values of any length are allowed. */
  readonly dimensions: number | null
}

/** A column; its type is null where it holds something else. */
export interface Column {
  readonly name: string
  readonly type: ColumnType | null
}

export interface MadeTable {
  readonly table: RelationName
  readonly columns: readonly Column[]
  /** Tables whose columns it has too. */
  readonly like: readonly RelationName[]
  /** `if not exists`: nothing is made where it is there already. */
  readonly isConditional: boolean
  readonly hasRows: boolean
  /** Whether its rows are in partitions. */
  readonly isPartitioned: boolean
}

export interface NamedIndex {
  readonly name: string
  readonly table: RelationName
}

/** What an index of pgvector's is made of; they take one column or expression. */
export interface MadeIndex {
  readonly table: RelationName
  /** Null where PostgreSQL is to find a name. */
  readonly name: string | null
  readonly method: IndexMethod
  readonly isConcurrent: boolean
  /** `if not exists`: nothing is built where one has the name. */
  readonly isConditional: boolean
  /** `on only`: of a partitioned table the index without those of its partitions, which builds nothing. */
  readonly isOnly: boolean
  /** The column that it is about; null where it is about none. */
  readonly column: string | null
  /** What the column is cast to; null where it is indexed as it is, or by something that is not known here. */
  readonly cast: ColumnType | null
  /** Whether the column itself is indexed. */
  readonly isPlain: boolean
  /** Null where none is named. */
  readonly operatorClass: string | null
}

/** An index of another method than pgvector's. */
export interface OtherIndex {
  readonly table: RelationName
  /** Null where PostgreSQL is to find a name. */
  readonly name: string | null
  readonly method: string
  readonly isUnique: boolean
  /** The columns that it is about as they are. */
  readonly columns: readonly string[]
}

/** What REINDEX builds anew, keeping writers out. */
export interface Rebuild {
  readonly what: 'index' | 'table' | 'schema' | 'database'
  /** Null for the database, which can only be one's own. */
  readonly name: RelationName | null
}

/** A change to what is known of a table, or of an index where that has the name. */
export type TableChange =
  | {
      readonly kind: 'column'
      readonly table: RelationName
      readonly column: Column
      readonly isNew: boolean
      /** Whether USING makes other values of those that are there. */
      readonly isComputed: boolean
    }
  | { readonly kind: 'drop column'; readonly table: RelationName; readonly column: string }
  | { readonly kind: 'rename column'; readonly table: RelationName; readonly column: string; readonly to: string }
  | { readonly kind: 'rename'; readonly table: RelationName; readonly to: string }
  | { readonly kind: 'move'; readonly table: RelationName; readonly to: string }

/** Something that is dropped. */
export interface Drop {
  /** In words, as `drop …` has them: extension, table, column…; rows where it is TRUNCATE. */
  readonly what: string
  readonly names: readonly RelationName[]
  readonly isCascade: boolean
}

/** What a statement does, as far as the rules ask. */
export interface Statement {
  readonly makes: readonly MadeTable[]
  readonly index: MadeIndex | null
  readonly otherIndex: OtherIndex | null
  readonly rebuild: Rebuild | null
  /** The index that it makes by name, of whatever method. */
  readonly named: NamedIndex | null
  readonly changes: readonly TableChange[]
  readonly drops: readonly Drop[]
  /** What it locks so that nobody can write to it, or even read it. */
  readonly locks: readonly RelationName[]
  readonly fills: readonly RelationName[]
  /** What has no rows any more. */
  readonly empties: readonly RelationName[]
  /** Whether a lock is waited for without end from here on; null where it does not say. */
  readonly lockTimeout: { readonly isSet: boolean; readonly isLocal: boolean } | null
  readonly control: 'begin' | 'end' | null
  /** The text of a function or a view. */
  readonly query: string | null
  /** Whether it runs code that is not looked into. */
  readonly isOpaque: boolean
}

/** A statement that the rules have nothing to ask of. */
export const nothing: Statement = {
  makes: [],
  index: null,
  otherIndex: null,
  rebuild: null,
  named: null,
  changes: [],
  drops: [],
  locks: [],
  fills: [],
  empties: [],
  lockTimeout: null,
  control: null,
  query: null,
  isOpaque: false,
}
