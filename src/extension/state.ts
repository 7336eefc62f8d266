import type { ReadOnly } from '../core/error-messages.ts'
import type { ServerFacts } from '../database/server-facts.ts'
import type { LogState } from '../log/log-state.ts'
import type { ProviderName } from '../pgvector/providers.ts'

/** What the boot path needs to know: one lean query. */
export interface Glance {
  readonly server: ServerFacts
  readonly provider: ProviderName
  /** Whether this database is a node of a Citus cluster. */
  readonly isCitus: boolean
  /** Null if the extension is not enabled in this database. */
  readonly installed: InstalledExtension | null
}

export interface InstalledExtension {
  /** The version of the SQL objects. The loaded library may have another one. */
  readonly version: string
  readonly schema: string
  readonly oid: number
  /**
   * What verification would find missing: the type vector, or one of its distance operators. Empty if everything
   * exists.
   */
  readonly missing: readonly string[]
  /**
   * How statements of this session can refer to its types: by plain name, only with the schema, or not at all because
   * the role has no USAGE on the schema.
   */
  readonly reach: Reach
  /** The current session, for messages about reaching the types. */
  readonly caller: Caller
}

export type Reach = 'plain' | 'with schema' | 'none'

/** The session's settings that determine how names resolve. */
export interface Caller {
  readonly role: string
  readonly database: string
  /** As written in the setting. */
  readonly searchPath: string
}

/** Everything that determines what can be done about pgvector in this database: one read-only query. */
export interface PgvectorState extends Glance {
  /** Null if the transaction may write. */
  readonly readOnly: ReadOnly | null
  readonly role: RoleFacts
  /** Null if the server has no files of the extension. */
  readonly available: AvailableExtension | null
  /** The owner of the installed extension; null if it is not installed. */
  readonly owner: { readonly name: string; readonly isCurrentRole: boolean } | null
  /**
   * The schema to create it in: the requested one, else `public` if it is on the search path, else the first schema of
   * the path.
   */
  readonly target: { readonly schema: string | null; readonly exists: boolean }
  /** Types, domains and tables that have the name of one of pgvector's types but are not pgvector's. */
  readonly lookalikes: readonly Lookalike[]
  /** Index access methods that have the name of one of pgvector's but are not pgvector's. */
  readonly accessMethods: readonly { readonly name: string; readonly extension: string | null }[]
  readonly log: LogState
}

export interface RoleFacts {
  readonly name: string
  readonly superuser: boolean
  /** CREATE on the database, which suffices to create a trusted extension or a schema. */
  readonly canCreateInDatabase: boolean
}

export interface AvailableExtension {
  /**
   * The version that `create extension` installs: that of the control file, the closest thing to the library's version.
   */
  readonly defaultVersion: string
  /** All versions that the server has files of, or the default alone if that was enough to know. */
  readonly versions: readonly string[]
  /** Whether a role with CREATE on the database may create it; null if this was not read. */
  readonly trusted: boolean | null
}

export interface Lookalike {
  readonly name: string
  readonly kind: 'type' | 'domain' | 'table'
  readonly schema: string
  readonly extension: string | null
}
