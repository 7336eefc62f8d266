import type { ReadOnlyReason } from '../../core/error-messages.ts'
import type { RelationRights } from '../../columns/table-rights.ts'
import type { ServerLoad } from './server-load.ts'
import type { ServerSettings } from './settings.ts'

/** What the catalog tells, in one query: it decides whether an index is built. */
export interface CatalogFacts {
  readonly server: { readonly version: string; readonly major: number }
  /** Whether PostgreSQL can notice, while it works, that its client died. */
  readonly canCheckConnection: boolean
  readonly readOnly: ReadOnlyReason | null
  readonly extension: {
    readonly version: string
    readonly schema: string
    /** The version that an update leads to, where what is installed is too old for the index; null otherwise. */
    readonly available: string | null
  } | null
  readonly settings: ServerSettings
  readonly table: TableFacts | null
  /** Null where the table has no such column. */
  readonly column: { readonly type: string; readonly isExtensionType: boolean; readonly quoted: string } | null
  /** Those of pgvector's methods on this table, and the one of the wanted name. */
  readonly indexes: readonly ExistingIndex[]
  /** What else has the wanted name in the table's schema: an index of another table, a table… */
  readonly namesake: string | null
  /** Builds by other processes on this table, whichever index. */
  readonly builds: readonly RunningBuild[]
  readonly isInTransaction: boolean
  /** The partial ones of `indexes` that have the condition of the wanted index; null where the server could not tell. */
  readonly sameConditions: readonly number[] | null
}

/** What is read of the rows and the server: it decides how an index is built. */
export interface BuildCosts extends ServerLoad {
  /** Rows that the index will hold, as far as is known without reading them all. */
  readonly rows: number
  /**
   * Partitions of the table, at whatever level, that an ivfflat index would learn nothing from, as PostgreSQL prints their
   * names. One that has such an index is not among them.
   */
  readonly emptyPartitions: readonly string[]
  /** Of a value in memory, of a column whose values differ in length; null where they do not or it is not known. */
  readonly valueBytes: number | null
}

/** Everything that decides how an index is built. */
export interface IndexFacts extends CatalogFacts, BuildCosts {}

/** What decides about an index of a table. */
export interface TableFacts {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** Of this role. */
  readonly rights: RelationRights
  readonly kind: 'ordinary' | 'partitioned' | 'materialized view' | 'foreign' | 'other'
  readonly isTemporary: boolean
  /** Nobody else can see it: it was made in the transaction that asks. */
  readonly isMadeHere: boolean
  /** Whether PostgreSQL can estimate its rows. */
  readonly isAnalysed: boolean
  readonly heapBytes: number
  /** With the values that are stored beside the table. */
  readonly totalBytes: number
  /** Row security decides which rows this role sees, or it may see none, so that looking for rows tells nothing. */
  readonly hidesRows: boolean
  /** What the statistics expect of a table of its size; null where there are none. */
  readonly expectedRows: number | null
  readonly parallelWorkers: number | null
  /** One level of them. */
  readonly partitions: readonly Partition[]
}

/** A partition of a table. */
export interface Partition {
  readonly schema: string
  readonly name: string
  readonly isForeign: boolean
}

/** An index that is there. */
export interface ExistingIndex {
  readonly oid: number
  readonly name: string
  readonly schema: string
  readonly definition: string
  readonly method: string
  readonly operatorClass: string
  /** Whether the operator class is pgvector's, or PostgreSQL's own. */
  readonly isKnownClass: boolean
  /** The column or expression, without the extension's schema. */
  readonly key: string
  readonly columns: number
  readonly condition: string | null
  readonly options: readonly string[]
  readonly isValid: boolean
  readonly isPartitioned: boolean
  /** The index of the partitioned table that this one belongs to. */
  readonly parent: number | null
}

/** A build of an index by another process of the server. */
export interface RunningBuild {
  readonly processId: number
  /** Null where this role may not see it. */
  readonly index: number | null
}
