import type { Session } from '../../database/session.ts'
import { identifier } from '../../core/sql.ts'
import { citusFunctionStatements } from './citus-functions.ts'
import { serverMessage } from '../../database/server-message.ts'

/** The objects of a database that migrations did not create, or may not have created. */
export interface Surroundings {
  readonly database: string
  readonly role: string
  /** The value of the setting. */
  readonly searchPath: string
  readonly roles: readonly string[]
  readonly schemas: readonly string[]
  readonly extensions: readonly { readonly name: string; readonly schema: string }[]
}

/** Reads what an embedded imitation of this database needs. It only reads. */
export async function readSurroundings(session: Session): Promise<Surroundings> {
  return session.ask<Surroundings>(`select json_build_object(
      'database', current_database(),
      'role', current_user,
      'searchPath', current_setting('search_path'),
      'roles', (select coalesce(json_agg(rolname), '[]') from pg_catalog.pg_roles where rolname !~ '^pg_'),
      'schemas', (
        select coalesce(json_agg(nspname), '[]') from pg_catalog.pg_namespace
        where nspname !~ '^pg_' and nspname <> 'information_schema'
      ),
      'extensions', (
        select coalesce(json_agg(json_build_object('name', e.extname, 'schema', n.nspname)), '[]')
        from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
      )
    ) as state`)
}

interface There extends Pick<Surroundings, 'roles' | 'schemas'> {
  readonly databases: readonly string[]
  /** Extensions that can be created and are not. */
  readonly available: readonly string[]
}

/** Whether the database is a node of a Citus cluster. */
export function hasCitus({ extensions }: Pick<Surroundings, 'extensions'>): boolean {
  return extensions.some(({ name }) => name === 'citus')
}

/** Creates the missing surroundings of another database in an embedded one. */
export async function createSurroundings(
  session: Session,
  { database, roles, schemas, extensions }: Surroundings,
): Promise<void> {
  const there = await session.ask<There>(`select json_build_object(
      'databases', (select json_agg(datname) from pg_catalog.pg_database),
      'roles', (select json_agg(rolname) from pg_catalog.pg_roles),
      'schemas', (select json_agg(nspname) from pg_catalog.pg_namespace),
      'available', (
        select json_agg(name) from pg_catalog.pg_available_extensions where installed_version is null
      )
    ) as state`)
  const statements = [
    // Only its name is used: to grant something on it.
    ...[database]
      .filter((name) => !there.databases.includes(name))
      .map((name) => `create database ${identifier(name)}`),
    ...roles.filter((name) => !there.roles.includes(name)).map((name) => `create role ${identifier(name)}`),
    ...schemas.filter((name) => !there.schemas.includes(name)).map((name) => `create schema ${identifier(name)}`),
    ...extensions
      .filter(({ name }) => there.available.includes(name))
      .map(({ name, schema }) => {
        const target = identifier(schema)
        return `create extension if not exists ${identifier(name)} with schema ${target} cascade`
      }),
    ...(hasCitus({ extensions }) ? citusFunctionStatements : []),
  ]
  for (const statement of statements) await session.send(statement)
}

/**
 * Returns the kind and name of an existing object that a migration wanted to create; null if the error does not name
 * one.
 */
export function obstacleIn(error: unknown): string | null {
  return /^((?:role|schema|extension) ".+") already exists$/.exec(serverMessage(error).trim())?.[1] ?? null
}

/** Removes such an object; false if it is not part of the surroundings, or other objects depend on it. */
export async function remove(
  session: Session,
  { roles, schemas, extensions }: Surroundings,
  obstacle: string,
): Promise<boolean> {
  const removals = new Map<string, string>([
    ...roles.map((name) => [`role "${name}"`, `drop role ${identifier(name)}`] as const),
    ...extensions.map(({ name }) => [`extension "${name}"`, `drop extension ${identifier(name)}`] as const),
    ...schemas.map((schema) => {
      const within = extensions.filter((extension) => extension.schema === schema)
      const drops = within.map(({ name }) => `drop extension if exists ${identifier(name)};`)
      return [`schema "${schema}"`, `${drops.join(' ')} drop schema ${identifier(schema)}`] as const
    }),
  ])
  const removal = removals.get(obstacle)
  if (removal === undefined) return false
  return session.send(removal).then(
    () => true,
    () => false,
  )
}
