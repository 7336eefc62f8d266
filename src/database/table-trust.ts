import { identifier } from '../core/sql.ts'
import type { Session } from './session.ts'

/** What PostgreSQL reports about a table, to decide whether it can be trusted. */
export interface TableFacts {
  readonly oid: number
  /** With its schema, quoted if necessary. */
  readonly name: string
  /** pg_class.relkind: r for an ordinary table. */
  readonly kind: string
  readonly owner: string
  /** The current role. */
  readonly role: string
  /** Whether the owner is this role, a role that it is a member of, the owner of the database, or a superuser. */
  readonly isOwnerTrusted: boolean
  /** Parts of the table that use an object of a role that is not trusted. */
  readonly foreign: readonly ForeignPart[]
}

/** A trigger, a rule, a default… that runs code of a role that is not trusted. */
export interface ForeignPart {
  /** PostgreSQL's description of it: trigger t on table d. */
  readonly description: string
  /** The object that it uses: function f(). */
  readonly uses: string
  readonly role: string
  /** From pg_identify_object. */
  readonly type: string
  readonly identity: string
}

/** Why a table is not trusted, and what changes that. */
export interface Distrust {
  readonly oid: number
  /** With its schema, quoted if necessary. */
  readonly table: string
  /** Clauses that follow the table's name. */
  readonly reasons: readonly string[]
  /** Statements for a superuser who has checked the table's contents. */
  readonly remedies: readonly string[]
  /** Whether even reading it could run another role's code. */
  readonly isUnsafeToRead: boolean
}

/**
 * SQL: whether the pg_class row `c` is an ordinary table of a trusted role, without anything that could run code. It is
 * cheap and part of queries that are sent anyway. {@link readDistrust} examines tables that are not obviously trusted.
 */
export const isObviouslyTrustedSql = obviouslyTrustedSql()

/** The same, where one more role is trusted: SQL for its OID. */
export function obviouslyTrustedSql(role?: string): string {
  return `(
  c.relkind = 'r' and c.relchecks = 0
  and not (c.relhastriggers or c.relhasrules or c.relrowsecurity or c.relhassubclass)
  and (
    c.relowner = (select datdba from pg_catalog.pg_database where datname = current_database())
    or exists (select from pg_catalog.pg_roles where oid = c.relowner and (rolsuper or rolname = current_user))
    ${role === undefined ? '' : `or c.relowner = ${role}`}
  )
  and not exists (select from pg_catalog.pg_attribute where attrelid = c.oid and atttypid >= ${firstUserOid()})
  and not exists (
    select from pg_catalog.pg_index where indrelid = c.oid and (indexprs is not null or indpred is not null)
  )
  and not exists (select from pg_catalog.pg_statistic_ext where stxrelid = c.oid)
  and not exists (
    select from pg_catalog.pg_attrdef a
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid = a.oid
      and d.refclassid <> 'pg_catalog.pg_class'::regclass
    where a.adrelid = c.oid
  )
)`
}

/** Returns SQL for the OIDs, as a json array, of the tables that are not obviously trusted. */
export function doubtfulSql(tables: readonly string[]): string {
  return `(select coalesce(json_agg(c.oid::bigint), '[]') from pg_catalog.pg_class c
    where c.oid = any (array[${tables.join(', ')}]::oid[]) and not ${isObviouslyTrustedSql})`
}

/**
 * Examines tables by their OIDs, and returns those that are not trusted.
 *
 * @param alsoTrusted the OIDs of further roles that are trusted here: the owner of the rows that a table is about
 */
export async function readDistrust(
  session: Session,
  tables: readonly number[],
  alsoTrusted: readonly number[] = [],
): Promise<readonly Distrust[]> {
  if (tables.length === 0) return []
  const facts = await session.ask<readonly TableFacts[]>(factsSql(tables, alsoTrusted))
  return facts.flatMap((each) => distrustOf(each) ?? [])
}

/** Returns why a table is not trusted; null if it is. */
export function distrustOf(facts: TableFacts): Distrust | null {
  const { oid, name, kind, owner, role, isOwnerTrusted, foreign } = facts
  const other = kind === 'r' ? null : (otherKinds[kind] ?? 'relation')
  const parts = other === null ? foreign : []
  const reasons = [
    ...(other === null ? [] : [`it is a ${other}, not a table`]),
    ...(isOwnerTrusted ? [] : [`it belongs to the role ${owner}, of which ${role} is not a member`]),
    ...parts.map(({ description, uses, role: whose }) => `${description} uses ${uses} of the role ${whose}`),
  ]
  if (reasons.length === 0) return null
  const remedies =
    other === null
      ? [
          ...(isOwnerTrusted ? [] : [`ALTER TABLE ${name} OWNER TO ${identifier(role)};`]),
          ...new Set(parts.map((part) => removalOf(part, name))),
        ]
      : [`DROP ${other.toUpperCase()} ${name};`]
  return { oid, table: name, reasons, remedies, isUnsafeToRead: other !== null || parts.length > 0 }
}

/** Returns the reasons as one clause: it belongs to the role mallory, of which app is not a member. */
export function reasonOf({ reasons }: Distrust): string {
  return reasons.join('; ')
}

const otherKinds: Readonly<Record<string, string>> = {
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
  p: 'partitioned table',
}

function removalOf({ type, identity }: ForeignPart, table: string): string {
  switch (type) {
    case 'table constraint':
      return `ALTER TABLE ${table} DROP CONSTRAINT ${identity.slice(0, identity.lastIndexOf(' on '))};`
    case 'default value':
      return `ALTER TABLE ${table} ALTER COLUMN ${identity.slice(identity.lastIndexOf('.') + 1)} DROP DEFAULT;`
    case 'table':
      return `DROP TABLE ${table};`
    case 'child':
      return `ALTER TABLE ${identity} NO INHERIT ${table};`
    default:
      return `DROP ${type.replace(' object', '').toUpperCase()} ${identity};`
  }
}

// PostgreSQL's own objects have lower OIDs.
function firstUserOid(): number {
  return 16_384
}

/**
 * The parts of a table are what PostgreSQL drops with it (dependencies of the kinds auto and internal). Their other
 * dependencies are what they use. To pg_has_role, a superuser is a member of every role, so this follows memberships
 * itself. A membership that only allows administering a role (PostgreSQL 16) does not count.
 */
function factsSql(tables: readonly number[], alsoTrusted: readonly number[]): string {
  return `with recursive member (oid) as (
      select oid from pg_catalog.pg_roles where rolname = current_user
      union
      select m.roleid from member join pg_catalog.pg_auth_members m on m.member = member.oid
      where coalesce(
        (to_jsonb(m) ->> 'inherit_option')::boolean or (to_jsonb(m) ->> 'set_option')::boolean, true)
    ),
    trusted (oid) as (
      select oid from member
      union select oid from pg_catalog.pg_roles where rolsuper or rolname = 'pg_database_owner'
      union select datdba from pg_catalog.pg_database where datname = current_database()
      ${alsoTrusted.length === 0 ? '' : `union select unnest(array[${alsoTrusted.join(', ')}]::oid[])`}
    ),
    own (relation, classid, objid) as (
      select oid, 'pg_catalog.pg_class'::regclass::oid, oid from pg_catalog.pg_class where oid in (${tables.join(', ')})
      union
      select own.relation, d.classid, d.objid
      from own join pg_catalog.pg_depend d
        on d.refclassid = own.classid and d.refobjid = own.objid and d.deptype in ('a', 'i')
    ),
    used as (
      select distinct own.relation, own.classid, own.objid, d.refclassid, d.refobjid,
        coalesce(f.proowner, t.typowner, o.oprowner, r.relowner) as owner
      from own
      join pg_catalog.pg_depend d on d.classid = own.classid and d.objid = own.objid
      left join pg_catalog.pg_proc f on d.refclassid = 'pg_catalog.pg_proc'::regclass and f.oid = d.refobjid
      left join pg_catalog.pg_type t on d.refclassid = 'pg_catalog.pg_type'::regclass and t.oid = d.refobjid
      left join pg_catalog.pg_operator o on d.refclassid = 'pg_catalog.pg_operator'::regclass and o.oid = d.refobjid
      left join pg_catalog.pg_class r on d.refclassid = 'pg_catalog.pg_class'::regclass and r.oid = d.refobjid
      where not exists (
        select from own self
        where self.relation = own.relation and self.classid = d.refclassid and self.objid = d.refobjid
      )
    ),
    part as (
      select used.relation, pg_describe_object(used.classid, used.objid, 0) as description,
        pg_describe_object(used.refclassid, used.refobjid, 0) as uses, used.owner, named.type, named.identity
      from used cross join lateral pg_identify_object(used.classid, used.objid, 0) as named
      union all
      select i.inhparent, pg_describe_object('pg_catalog.pg_class'::regclass, i.inhrelid, 0), 'its rows',
        k.relowner, 'child', format('%I.%I', n.nspname, k.relname)
      from pg_catalog.pg_inherits i
      join pg_catalog.pg_class k on k.oid = i.inhrelid
      join pg_catalog.pg_namespace n on n.oid = k.relnamespace
      where i.inhparent in (${tables.join(', ')})
    )
    select json_agg(json_build_object('oid', c.oid::bigint, 'name', format('%I.%I', n.nspname, c.relname), 'kind', c.relkind,
      'owner', pg_get_userbyid(c.relowner), 'role', current_user,
      'isOwnerTrusted', c.relowner in (select oid from trusted),
      'foreign', (
        select coalesce(json_agg(json_build_object('description', part.description, 'uses', part.uses,
          'role', pg_get_userbyid(part.owner), 'type', part.type, 'identity', part.identity)
          order by part.description, part.uses), '[]')
        from part where part.relation = c.oid and part.owner not in (select oid from trusted)
      )) order by c.oid) as state
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid in (${tables.join(', ')})`
}
