import { literal } from '../core/sql.ts'
import type { Session } from '../database/session.ts'

/** What determines whether a trigger can keep a table in step. */
export interface SetupFacts {
  /** Whether row security applies to any role. */
  readonly hasRowSecurity: boolean
  /** Where session_replication_role is set to replica, so that triggers do not fire: this session, a role, a database. */
  readonly replicaRoles: readonly string[]
  /** Other row triggers that can change a row before it is written. */
  readonly otherTriggers: readonly OtherTrigger[]
  /** Whether Citus distributes the table. */
  readonly isDistributed: boolean
}

interface OtherTrigger {
  readonly name: string
  readonly language: string
  readonly source: string
}

/** Reads these facts about a table, except for the triggers of one name. */
export async function readSetupFacts(session: Session, table: number, own: string): Promise<SetupFacts> {
  const { hasCitus, ...facts } = await session.ask<Omit<SetupFacts, 'isDistributed'> & { readonly hasCitus: boolean }>(
    `select json_build_object(
      'hasRowSecurity', (select relrowsecurity from pg_catalog.pg_class where oid = ${table}),
      'replicaRoles', (
        select coalesce(json_agg(place), '[]') from (
          select 'this session' as place where current_setting('session_replication_role') = 'replica'
          union all
          select concat_ws(' in ', case when s.setrole <> 0 then format('the role %I', pg_get_userbyid(s.setrole)) end,
            case when s.setdatabase <> 0 then 'this database' end)
          from pg_catalog.pg_db_role_setting s cross join lateral unnest(s.setconfig) as setting
          where setting = 'session_replication_role=replica'
            and s.setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
        ) found
      ),
      'otherTriggers', (
        select coalesce(json_agg(json_build_object('name', t.tgname, 'language', l.lanname, 'source', p.prosrc) order by t.tgname), '[]')
        from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
        join pg_catalog.pg_language l on l.oid = p.prolang
        -- the bits of a trigger: 1 for each row, 2 before, 16 update
        where t.tgrelid = ${table} and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 19 = 19
          and t.tgname <> ${literal(own)}
      ),
      'hasCitus', to_regclass('pg_catalog.pg_dist_partition') is not null
    ) as state`,
  )
  const isDistributed =
    hasCitus &&
    (await session.ask<boolean>(
      `select to_json(exists (select from pg_catalog.pg_dist_partition where logicalrelid = ${table})) as state`,
    ))
  return { ...facts, isDistributed }
}
