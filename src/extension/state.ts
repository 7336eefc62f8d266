import type { ReadOnlyReason } from '../core/error-messages.ts'
import type { ServerFacts } from '../database/server-facts.ts'
import type { LogState } from '../log/log-state.ts'
import type { ProviderName } from '../pgvector/providers.ts'

/** What the boot path needs to know: one lean query. */
export interface Glance {
  readonly server: ServerFacts
  readonly provider: ProviderName
  /** Null where the extension is not enabled in this database. */
  readonly installed: InstalledExtension | null
}

export interface InstalledExtension {
  /** Of the SQL objects; the loaded library may be another one. */
  readonly version: string
  readonly schema: string
  readonly oid: number
  /** What verification would miss: the type vector, or one of its distance operators. Empty where it works. */
  readonly missing: readonly string[]
  /**
   * Whether statements of this session reach its types: by their plain names, only with the schema, or not at all because
   * the role has no USAGE on the schema.
   */
  readonly reach: Reach
  /** Who asks, for what to do about that. */
  readonly caller: Caller
}

export type Reach = 'plain' | 'with schema' | 'none'

/** What decides what names mean. */
export interface Caller {
  readonly role: string
  readonly database: string
  /** As the setting has it. */
  readonly searchPath: string
}

/** Everything that decides what can be done about pgvector in this database: one read-only query. */
export interface PgvectorState extends Glance {
  /** Null where the transaction may write. */
  readonly readOnly: ReadOnlyReason | null
  readonly role: RoleFacts
  /** Null where the server has no files of the extension. */
  readonly available: AvailableExtension | null
  /** Who owns the installed extension; null where it is not installed. */
  readonly owner: { readonly name: string; readonly isCurrentRole: boolean } | null
  /** The schema to create it in: the one asked for, else `public` where it is on the search path, else the first there. */
  readonly target: { readonly schema: string | null; readonly exists: boolean }
  /** Types, domains and tables that have the name of one of pgvector's types and are not pgvector's. */
  readonly lookalikes: readonly Lookalike[]
  /** Index access methods that have the name of one of pgvector's and are not pgvector's. */
  readonly accessMethods: readonly { readonly name: string; readonly extension: string | null }[]
  readonly log: LogState
}

export interface RoleFacts {
  readonly name: string
  readonly superuser: boolean
  /** CREATE on the database: enough for a trusted extension, and for a schema. */
  readonly canCreateInDatabase: boolean
}

export interface AvailableExtension {
  /** What `create extension` installs: that of the control file, the closest thing to the library's version. */
  readonly defaultVersion: string
  /** All that the server has files of; the default alone, where that was enough to know. */
  readonly versions: readonly string[]
  /** A role with CREATE on the database may create it; null where it was not read. */
  readonly trusted: boolean | null
}

export interface Lookalike {
  readonly name: string
  readonly kind: 'type' | 'domain' | 'table'
  readonly schema: string
  readonly extension: string | null
}
