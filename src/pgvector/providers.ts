/** A provider that manages PostgreSQL, or a stock server. */
export type ProviderName = keyof typeof providers

/** What the server reveals about its provider. The glance reads it, and {@link detectProvider} compares it. */
export interface ProviderMarks {
  /** version(). */
  readonly server: string
  /** The settings that {@link markedSettings} lists; null for a setting that the server does not know. */
  readonly settings: Readonly<Record<string, string | null>>
  /** The roles of {@link markedRoles} that exist. */
  readonly roles: readonly string[]
  /** The functions of {@link markedFunctions} that exist. */
  readonly functions: readonly string[]
}

/** How to recognise a provider, and its remedies where they differ from those of a stock server. */
interface Provider {
  readonly title: string
  /** Any of these settings identifies the provider. */
  readonly settings?: readonly string[]
  /** All of these roles together identify the provider. One alone may be a stub from a dump. */
  readonly roles?: readonly string[]
  /** Any of these functions identifies the provider. */
  readonly functions?: readonly string[]
  /** A text that version() contains. */
  readonly server?: string
  /** What to do if the extension's files are missing or not allowed. */
  readonly notAvailable?: string
  /** What to do if the role may not create the extension. */
  readonly privilege?: string
  /** What to do if the newest version on the server is too old. */
  readonly versionTooLow?: string
}

const PROVIDER_UPDATE =
  'Apply the pending maintenance or engine update of your provider, then run this again with { update: true }.'

/**
 * The providers, most specific first. Recognition only improves messages and never decides anything, because roles and
 * settings can be faked. Sources: docs/providers.md.
 */
export const providers = {
  pglite: {
    title: 'PGlite',
    server: 'PGlite',
    notAvailable:
      'Pass the extension when you open PGlite: new PGlite({ extensions: { vector } }) with vector from ' +
      '@electric-sql/pglite-pgvector, or use embeddedPgvector() from knex-pgvector/embedded.',
    versionTooLow: 'Update @electric-sql/pglite and @electric-sql/pglite-pgvector together.',
  },
  aurora: {
    title: 'Amazon Aurora',
    functions: ['pg_catalog.aurora_version'],
    notAvailable:
      'Upgrade the cluster to an engine version that lists vector. No shared_preload_libraries entry is needed.',
    privilege:
      'As the master user: GRANT rds_superuser TO your_role; or GRANT rds_extension TO your_role; ALTER ROLE your_role SET ' +
      "rds.allowed_delegated_extensions = 'vector'; or run CREATE EXTENSION vector; once as the master user. Where the " +
      'parameter rds.allowed_extensions is restricted, it must list vector.',
    versionTooLow: 'Upgrade the cluster to a newer minor engine version, then run this again with { update: true }.',
  },
  rds: {
    title: 'Amazon RDS',
    settings: ['rds.extensions'],
    notAvailable:
      'Upgrade the instance to an engine version that lists vector. No shared_preload_libraries entry is needed.',
    privilege:
      'As the master user: GRANT rds_superuser TO your_role; or GRANT rds_extension TO your_role; ALTER ROLE your_role SET ' +
      "rds.allowed_delegated_extensions = 'vector'; or run CREATE EXTENSION vector; once as the master user. Where the " +
      'parameter rds.allowed_extensions is restricted, it must list vector.',
    versionTooLow: 'Upgrade the instance to a newer minor engine version, then run this again with { update: true }.',
  },
  cosmos: {
    title: 'Azure Cosmos DB for PostgreSQL',
    functions: ['create_extension'],
    notAvailable: "Run: SELECT create_extension('vector');",
    privilege: "Run: SELECT create_extension('vector'); instead of CREATE EXTENSION.",
    versionTooLow: PROVIDER_UPDATE,
  },
  azure: {
    title: 'Azure Database for PostgreSQL',
    settings: ['azure.extensions'],
    notAvailable:
      'Add VECTOR (not pgvector) to the server parameter azure.extensions: az postgres flexible-server parameter set ' +
      '--resource-group GROUP --server-name SERVER --name azure.extensions --value vector (keep the names already listed).',
    privilege:
      'As the server administrator: GRANT azure_pg_admin TO your_role; or run CREATE EXTENSION vector; once as the ' +
      'administrator. VECTOR must be in the server parameter azure.extensions.',
    versionTooLow: PROVIDER_UPDATE,
  },
  alloydb: {
    title: 'Google AlloyDB',
    roles: ['alloydbsuperuser'],
    privilege:
      'As the postgres user: GRANT alloydbsuperuser TO your_role; or run CREATE EXTENSION vector; once as postgres.',
    versionTooLow: PROVIDER_UPDATE,
  },
  cloudsql: {
    title: 'Google Cloud SQL',
    roles: ['cloudsqlsuperuser', 'cloudsqladmin'],
    notAvailable:
      'Apply the newest maintenance version: gcloud sql instances patch INSTANCE --maintenance-version=VERSION',
    privilege:
      'As the postgres user: GRANT cloudsqlsuperuser TO your_role; or run CREATE EXTENSION vector; once as postgres.',
    versionTooLow:
      'Apply a newer maintenance version: gcloud sql instances patch INSTANCE --maintenance-version=VERSION; then ' +
      'run this again with { update: true }.',
  },
  supabase: {
    title: 'Supabase',
    settings: ['supautils.privileged_extensions'],
    roles: ['supabase_admin'],
    notAvailable: 'Upgrade the project under Settings, Infrastructure: its image is older than pgvector.',
    privilege:
      'Connect as the role postgres, or enable vector under Database, Extensions (usually in the schema extensions).',
    versionTooLow: 'Upgrade the project under Settings, Infrastructure, then run this again with { update: true }.',
  },
  neon: {
    title: 'Neon',
    settings: ['neon.timeline_id'],
    roles: ['neon_superuser'],
    privilege: 'Connect as a role created in the Neon console (a member of neon_superuser); no other step is needed.',
    versionTooLow: PROVIDER_UPDATE,
  },
  aiven: {
    title: 'Aiven',
    roles: ['avnadmin'],
    privilege: 'Connect as avnadmin: vector is in extwlist.extensions, which lets this role create it.',
    versionTooLow: PROVIDER_UPDATE,
  },
  extwlist: {
    title: 'a provider with an extension allow-list',
    settings: ['extwlist.extensions'],
    privilege:
      "As a superuser: ALTER ROLE your_role SET extwlist.extensions = 'vector'; or have your provider add vector to " +
      'extwlist.extensions; or run CREATE EXTENSION vector; once as a superuser.',
    versionTooLow: PROVIDER_UPDATE,
  },
  stock: { title: 'PostgreSQL' },
} as const satisfies Record<string, Provider>

const table: Readonly<Record<ProviderName, Provider>> = providers
const names = Object.keys(providers) as ProviderName[]
const listed = (pick: (provider: Provider) => readonly string[] | undefined): string[] => [
  ...new Set(names.flatMap((name) => pick(table[name]) ?? [])),
]

/** The settings to read, with current_setting(name, true). */
export const markedSettings = (): string[] => listed((provider) => provider.settings)
/** The roles to look for. */
export const markedRoles = (): string[] => listed((provider) => provider.roles)
/** The functions to look for. */
export const markedFunctions = (): string[] => listed((provider) => provider.functions)

/**
 * Returns the provider that these marks identify, or `stock` if none fits.
 *
 * @example detectProvider({ server: 'PostgreSQL 17.6', settings: { 'rds.extensions': 'vector' }, roles: [], functions: [] }) // 'rds'
 */
export function detectProvider(marks: ProviderMarks): ProviderName {
  return names.find((name) => fits(table[name], marks)) ?? 'stock'
}

function fits(provider: Provider, marks: ProviderMarks): boolean {
  if (provider.server !== undefined && marks.server.includes(provider.server)) return true
  if (provider.settings?.some((setting) => (marks.settings[setting] ?? null) !== null)) return true
  if (provider.functions?.some((name) => marks.functions.includes(name))) return true
  return provider.roles?.every((role) => marks.roles.includes(role)) ?? false
}

/** The remedies of a provider, for hints. A missing one means that the catalogue's hint applies. */
export function remedies(name: ProviderName): Pick<Provider, 'notAvailable' | 'privilege' | 'versionTooLow'> & {
  readonly title: string
} {
  return table[name]
}
