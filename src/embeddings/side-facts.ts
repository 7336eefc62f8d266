import { literal } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { isObviouslyTrustedSql, readDistrust, type Distrust } from '../database/table-trust.ts'
import { isValidSql } from '../indexes/look/validity.ts'
import type { SideNames } from './names.ts'

/** A side table that exists. */
export interface SideTable {
  readonly oid: number
  /** Its columns with their types, in order. */
  readonly columns: readonly (readonly [name: string, type: string])[]
}

/** What exists of the objects that keep a column in step. */
export interface SideFacts {
  readonly marks: SideTable | null
  readonly claims: SideTable | null
  /** Why the side tables that exist are not trusted. */
  readonly distrusted: readonly Distrust[]
  /** The type of the column for the hash; null if there is none. `bytea` is PostgreSQL's own, whatever is on the search path. */
  readonly hash: string | null
  readonly function: SideFunction | null
  readonly trigger: { readonly enabled: string; readonly function: number; readonly definition: string } | null
  readonly missingIndex: { readonly isValid: boolean; readonly definition: string } | null
}

interface SideFunction {
  readonly oid: number
  readonly source: string
  readonly isDefiner: boolean
  readonly settings: readonly string[]
  readonly owner: string
  /** Whether its owner is the owner of the table or of the database, a superuser, or a role of the current one. */
  readonly isOwnerTrusted: boolean
  readonly isPublic: boolean
  /** The other tables that use it. */
  readonly otherTables: readonly string[]
}

/** Reads these facts in one query, and another one about side tables that are not obviously trusted. */
export async function readSideFacts(
  session: Session,
  table: { readonly oid: number; readonly schema: string },
  names: SideNames,
): Promise<SideFacts> {
  const { doubtful, ...facts } = await session.ask<
    Omit<SideFacts, 'distrusted'> & { readonly doubtful: readonly number[] }
  >(factsSql(table, names))
  return { ...facts, distrusted: await readDistrust(session, doubtful) }
}

function factsSql({ oid, schema }: { readonly oid: number; readonly schema: string }, names: SideNames): string {
  return `
    with side as (
      select c.oid, c.relname, not ${isObviouslyTrustedSql} as doubtful, (
          select coalesce(json_agg(json_build_array(a.attname, format('%I.%I', s.nspname, t.typname)) order by a.attnum), '[]')
          from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
          join pg_catalog.pg_namespace s on s.oid = t.typnamespace
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        ) as columns
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = ${literal(schema)} and c.relname in (${literal(names.marks)}, ${literal(names.claims)})
    ),
    called as (
      select p.* from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      where n.nspname = ${literal(schema)} and p.proname = ${literal(names.function)} and p.pronargs = 0
    )
    select json_build_object(
      'marks', (select json_build_object('oid', oid::bigint, 'columns', columns) from side where relname = ${literal(names.marks)}),
      'claims', (select json_build_object('oid', oid::bigint, 'columns', columns) from side where relname = ${literal(names.claims)}),
      'doubtful', (select coalesce(json_agg(oid::bigint), '[]') from side where doubtful),
      'hash', (
        select case when atttypid = 'pg_catalog.bytea'::regtype then 'bytea' else format_type(atttypid, atttypmod) end
        from pg_catalog.pg_attribute
        where attrelid = ${oid} and attname = ${literal(names.hash)} and not attisdropped
      ),
      'function', (
        select json_build_object('oid', oid::bigint, 'source', prosrc, 'isDefiner', prosecdef,
          'settings', coalesce(to_json(proconfig), '[]'), 'owner', pg_get_userbyid(proowner),
          'isOwnerTrusted', pg_has_role(proowner, 'member')
            or proowner = (select relowner from pg_catalog.pg_class where oid = ${oid})
            or proowner = (select datdba from pg_catalog.pg_database where datname = current_database())
            or (select rolsuper from pg_catalog.pg_roles where oid = proowner),
          'isPublic', coalesce((select bool_or(grantee = 0) from aclexplode(coalesce(proacl, acldefault('f', proowner)))), false),
          'otherTables', (
            select coalesce(json_agg(tgrelid::regclass::text), '[]') from pg_catalog.pg_trigger
            where tgfoid = called.oid and tgparentid = 0 and tgrelid <> ${oid}
          ))
        from called
      ),
      'trigger', (
        select json_build_object('enabled', tgenabled, 'function', tgfoid::bigint, 'definition', pg_get_triggerdef(oid))
        from pg_catalog.pg_trigger where tgrelid = ${oid} and tgname = ${literal(names.trigger)} and not tgisinternal
      ),
      'missingIndex', (
        select json_build_object('isValid', ${isValidSql('x')}, 'definition', pg_get_indexdef(c.oid))
        from pg_catalog.pg_index x join pg_catalog.pg_class c on c.oid = x.indexrelid
        where x.indrelid = ${oid} and c.relname = ${literal(names.missingIndex)}
      )
    ) as state`
}
