import type { ReadOnly } from '../../core/error-messages.ts'
import type { RelationRights } from '../../columns/table-rights.ts'
import type { ServerLoad } from './server-load.ts'
import type { ServerSettings } from './settings.ts'

/** The facts from the catalog, read in one query. They decide whether an index is built. */
export interface CatalogFacts {
  readonly server: { readonly version: string; readonly major: number }
  /** Whether PostgreSQL can notice, during a statement, that its client has died. */
  readonly canCheckConnection: boolean
  readonly readOnly: ReadOnly | null
  /** Whether the database is a node of a Citus cluster. */
  readonly isCitus: boolean
  readonly extension: {
    readonly version: string
    readonly schema: string
    /** The version that an update would install, if the installed one is too old for the index; otherwise null. */
    readonly available: string | null
  } | null
  readonly settings: ServerSettings
  readonly table: TableFacts | null
  /** Null if the table has no such column. */
  readonly column: { readonly type: string; readonly isExtensionType: boolean; readonly quoted: string } | null
  /** The indexes of pgvector's methods on this table, and the index of the requested name. */
  readonly indexes: readonly ExistingIndex[]
  /** Another object with the requested name in the table's schema: an index of another table, a table… */
  readonly namesake: string | null
  /** Builds of other backends on this table, of any index. */
  readonly builds: readonly RunningBuild[]
  readonly isInTransaction: boolean
  /** The partial indexes that have the condition of the requested one; null if the server could not compare them. */
  readonly sameConditions: readonly number[] | null
}

/** The facts about rows and server, which determine how an index is built. */
export interface BuildCosts extends ServerLoad {
  /** The rows that the index will contain, as far as is known without reading them all. */
  readonly rows: number
  /**
   * The partitions of the table, at any level, without rows to train an ivfflat index on, as PostgreSQL prints their
   * names. A partition that already has such an index is not among them.
   */
  readonly emptyPartitions: readonly string[]
  /** The bytes of a value in memory, for a column whose values differ in length; otherwise null, or if unknown. */
  readonly valueBytes: number | null
}

/** Everything that determines how an index is built. */
export interface IndexFacts extends CatalogFacts, BuildCosts {}

/** The facts about a table that matter for its indexes. */
export interface TableFacts {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** The rights of the current role. */
  readonly rights: RelationRights
  readonly kind: 'ordinary' | 'partitioned' | 'materialized view' | 'foreign' | 'other'
  readonly isTemporary: boolean
  /** Whether this transaction created the table, so that no other session can see it. */
  readonly isMadeHere: boolean
  /** Whether PostgreSQL can estimate its rows. */
  readonly isAnalysed: boolean
  readonly heapBytes: number
  /** Including values that are stored out of line. */
  readonly totalBytes: number
  /**
   * Whether row security limits the rows that this role sees, or the role may read none, so that a count is not
   * conclusive.
   */
  readonly hidesRows: boolean
  /** The rows that the statistics predict for a table of its size; null if there are none. */
  readonly expectedRows: number | null
  readonly parallelWorkers: number | null
  /** One level of partitions. */
  readonly partitions: readonly Partition[]
}

/** A partition of a table. */
export interface Partition {
  readonly schema: string
  readonly name: string
  readonly isForeign: boolean
}

/** An existing index. */
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
  /** The partitioned index that this one belongs to. */
  readonly parent: number | null
}

/** An index build of another backend. */
export interface RunningBuild {
  readonly processId: number
  /** Null if this role may not see it. */
  readonly index: number | null
}
