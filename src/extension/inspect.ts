import { logOptions, nameOption, type LogOptions } from '../core/options.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { readOnlySql } from '../database/read-only-sql.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { logStateOf, logStateSql, type LogAnswer } from '../log/log-state.ts'
import { nullable } from '../core/sql.ts'
import { isAtLeastSql } from './too-old.ts'
import { glanceSql, readGlance, type GlanceAnswer } from './glance.ts'
import type { AvailableExtension, Glance, PgvectorState } from './state.ts'
import { indexMethodsSql } from '../pgvector/index-methods.ts'

/** What to inspect in addition to the database itself. */
export interface InspectOptions {
  /** The schema in which pgvector would be created; the default is that of {@link ensurePgvector}. */
  readonly schema?: string | undefined
  /** Where the migration log is, if it is not `pgvector_migration_log` on the search path. */
  readonly log?: LogOptions | undefined
}

const inspectOptions = lazySchema((z) =>
  z.strictObject({ schema: nameOption().optional(), log: logOptions().optional() }),
)

type Answer = Omit<PgvectorState, 'server' | 'provider' | 'installed' | 'available' | 'log'> & {
  readonly log: LogAnswer
  /** Null if the glance was already fresh. */
  readonly glance: GlanceAnswer | null
  readonly available: null | {
    readonly defaultVersion: string
    /** Null if the default version is enough. */
    readonly all: Pick<AvailableExtension, 'versions' | 'trusted'> | null
  }
}

/**
 * Reads everything that determines what can be done about pgvector in this database, in one read-only query.
 *
 * @example
 * const { installed, available, role } = await inspectPgvector(knex)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, or UNSUPPORTED_DATABASE if this is not PostgreSQL.
 */
export async function inspectPgvector(db: Database, options: InspectOptions = {}): Promise<PgvectorState> {
  const wanted = parseOptions(inspectOptions, options)
  const session = sessionOf(db)
  return readState(session, wanted, null)
}

/**
 * Reads the same state for a caller that will create the extension. If the default version is `enough`, the other
 * versions are not read. Each of them is a file on the server, and reading them takes longer than the rest of the
 * query. A glance that is `fresh` is not repeated.
 */
export async function readState(
  session: Session,
  options: InspectOptions,
  enough: string | null,
  fresh?: Glance,
): Promise<PgvectorState> {
  const glance = fresh === undefined ? glanceSql() : 'select null::json as state'
  const { glance: answer, available, log, ...rest } = await session.ask<Answer>(inspectSql(options, enough, glance))
  const seen = fresh ?? readGlance(answer as GlanceAnswer)
  return {
    ...seen,
    ...rest,
    available: available === null ? null : readAvailable(available),
    log: await logStateOf(session, log),
  }
}

function readAvailable({ defaultVersion, all }: NonNullable<Answer['available']>): AvailableExtension {
  return { defaultVersion, versions: all?.versions ?? [defaultVersion], trusted: all?.trusted ?? null }
}

function inspectSql({ schema, log }: InspectOptions, enough: string | null, glance: string): string {
  return `
    with glance as (${glance}),
    wanted as (
      select coalesce(${nullable(schema ?? null)},
        case when 'public' = any (current_schemas(false)) then 'public' end, current_schema()) as schema
    ),
    lookalike as (
      select t.typname as name, n.nspname as schema, x.extname as extension,
        case when t.typtype = 'd' then 'domain' when c.relkind <> 'c' then 'table' else 'type' end as kind
      from pg_catalog.pg_type t
      left join pg_catalog.pg_class c on c.oid = t.typrelid
      join pg_catalog.pg_namespace n on n.oid = t.typnamespace
      left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_type'::regclass and d.objid = t.oid
        and d.refclassid = 'pg_catalog.pg_extension'::regclass and d.deptype = 'e'
      left join pg_catalog.pg_extension x on x.oid = d.refobjid
      where t.typname in ('vector', 'halfvec', 'sparsevec') and x.extname is distinct from 'vector'
    ),
    access_method as (
      select a.amname as name, x.extname as extension
      from pg_catalog.pg_am a
      left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_am'::regclass and d.objid = a.oid
        and d.refclassid = 'pg_catalog.pg_extension'::regclass and d.deptype = 'e'
      left join pg_catalog.pg_extension x on x.oid = d.refobjid
      where a.amname in ${indexMethodsSql} and x.extname is distinct from 'vector'
    )
    select json_build_object(
      'glance', (select state from glance),
      'readOnly', ${readOnlySql},
      'role', (
        select json_build_object('name', r.rolname, 'superuser', r.rolsuper,
          'canCreateInDatabase', has_database_privilege(current_database(), 'create'))
        from pg_catalog.pg_roles r where r.rolname = current_user
      ),
      'available', (
        select json_build_object('defaultVersion', a.default_version, 'all', case when ${isEnough(enough)} then null else (
          select json_build_object('versions', coalesce(json_agg(v.version), '[]'), 'trusted', coalesce(bool_or(v.trusted), false))
          from pg_available_extension_versions() v where v.name = 'vector'
        ) end)
        from pg_available_extensions() a
        where a.name = 'vector'
      ),
      'owner', (
        select json_build_object('name', pg_get_userbyid(e.extowner),
          'isCurrentRole', pg_has_role(e.extowner, 'usage'))
        from pg_catalog.pg_extension e where e.extname = 'vector'
      ),
      'target', (
        select json_build_object('schema', wanted.schema,
          'exists', exists (select from pg_catalog.pg_namespace n where n.nspname = wanted.schema))
        from wanted
      ),
      'lookalikes', (select coalesce(json_agg(to_json(lookalike)), '[]') from lookalike),
      'accessMethods', (select coalesce(json_agg(to_json(access_method)), '[]') from access_method),
      'log', (${logStateSql(log ?? {})})
    ) as state`
}

function isEnough(version: string | null): string {
  if (version === null) return 'false'
  return `
    not exists (select from pg_catalog.pg_extension where extname = 'vector')
    and ${isAtLeastSql('a.default_version', version)}`
}
