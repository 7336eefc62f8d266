import Knex from 'knex'

import { startMachine, type Machine } from './machine.ts'

/**
 * A stand-in for a Citus cluster: three ordinary servers, with functions and tables of Citus' names on them. It has version
 * skew, missing files, nodes that do not answer, and changes of extensions that reach the workers. It has no distributed tables, no
 * two-phase commit and none of Citus' refusals.
 */
export interface StandIn {
  /** Makes a database of this name on every node. */
  createDatabase(name: string): Promise<void>
  url(node: NodeName, database: string): string
  /** What a node has of pgvector's files: all, those of an old release alone, or none. */
  giveFiles(node: NodeName, files: 'all' | '0.7.4' | 'none'): Promise<void>
  stop(node: NodeName): Promise<void>
  start(node: NodeName): Promise<void>
  end(): Promise<void>
}

const ports = { coordinator: 5432, worker1: 5433, worker2: 5434 } as const

export type NodeName = keyof typeof ports

const workers = ['worker1', 'worker2'] as const

export async function startStandIn(): Promise<StandIn> {
  const machine = await startMachine({
    ports: workers.map((worker) => ports[worker]),
    settings: settingsOf('coordinator'),
  })
  const { username, password } = new URL(machine.url())
  const options = (node: NodeName): string =>
    [
      `-p ${ports[node]}`,
      "-c listen_addresses='*'",
      '-c fsync=off',
      ...settingsOf(node).map((each) => `-c ${each}`),
    ].join(' ')
  const start = (node: NodeName): Promise<string> =>
    machine.run(`pg_ctl -D /memory/${node} -l /memory/${node}.log -w -o "${options(node)}" start`)
  const giveFiles: StandIn['giveFiles'] = async (node, files) => {
    await machine.run(`
      from=$(pg_config --sharedir)/extension to=/memory/files/${node}/extension
      rm -rf $to; mkdir -p $to; cp $from/dblink* $to
      echo "default_version = '13.2-1'" >$to/citus.control; : >$to/citus--13.2-1.sql
      ${scripts[files]}`)
  }
  for (const node of Object.keys(ports) as NodeName[]) await giveFiles(node, 'all')
  for (const worker of workers) {
    await machine.run(`
      initdb -D /memory/${worker} -U ${username} --pwfile=<(printf %s ${password}) --auth-local=trust --auth-host=scram-sha-256 >/dev/null
      echo 'host all all all scram-sha-256' >>/memory/${worker}/pg_hba.conf`)
    await start(worker)
  }
  return {
    createDatabase: (name) => createDatabase(machine, name),
    url: (node, database) => machine.url(database, ports[node]),
    giveFiles,
    stop: async (node) => {
      await machine.run(`pg_ctl -D /memory/${node} -m immediate -w stop`)
    },
    start: async (node) => {
      await start(node)
    },
    end: () => machine.stop(),
  }
}

function settingsOf(node: NodeName): string[] {
  return [`extension_control_path=/memory/files/${node}`, 'allow_system_table_mods=on']
}

const scripts = {
  all: 'cp $from/vector* $to',
  '0.7.4': `cp $from/vector--$(sed -n "s/default_version = '\\(.*\\)'/\\1/p" $from/vector.control).sql $to/vector--0.7.4.sql
    sed "s/default_version = .*/default_version = '0.7.4'/" $from/vector.control >$to/vector.control`,
  none: '',
} as const

async function createDatabase(machine: Machine, name: string): Promise<void> {
  const { username, password } = new URL(machine.url())
  const line = (port: number): string =>
    `host=127.0.0.1 port=${port} user=${username} password=${password} dbname=${name} connect_timeout=5`
  for (const [node, port] of Object.entries(ports)) {
    const administrator = Knex({ client: 'pg', connection: machine.url('postgres', port) })
    await administrator.raw(`create database ${name}`)
    await administrator.destroy()
    const knex = Knex({ client: 'pg', connection: machine.url(name, port) })
    await knex.raw(nodeSql(node as NodeName, line))
    if (node === 'coordinator') await knex.raw(propagationSql)
    await knex.destroy()
  }
}

function nodeSql(node: NodeName, line: (port: number) => string): string {
  const group = Object.keys(ports).indexOf(node)
  const rows = Object.values(ports).map((port, place) => `(${place}, ${place}, '127.0.0.1', ${port}, '${line(port)}')`)
  return `
    create schema stand_in;
    create extension dblink schema stand_in;
    create extension citus schema pg_catalog;
    create table stand_in.node (nodeid int, groupid int, nodename text, nodeport int, line text);
    insert into stand_in.node values ${rows.join(', ')};
    create table pg_catalog.pg_dist_local_group (groupid int);
    insert into pg_dist_local_group values (${group});
    create view pg_catalog.pg_dist_node as
      select nodeid, groupid, nodename, nodeport, true as isactive, 'primary'::text as noderole from stand_in.node;
    create table pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char");
    create function pg_catalog.run_command_on_all_nodes(command text, out nodeid int, out success bool, out result text)
      returns setof record language plpgsql as $$
      declare node stand_in.node;
      begin
        for node in select * from stand_in.node as n order by n.nodeid loop
          nodeid := node.nodeid;
          begin
            select answer into result from stand_in.dblink(node.line, command) as t (answer text);
            success := true;
          exception when others then
            success := false;
            result := format('failed to connect to %s:%s', node.nodename, node.nodeport);
          end;
          return next;
        end loop;
      end $$;
    grant select on pg_dist_local_group, pg_dist_node, pg_dist_partition to public;`
}

// As Citus does, it forwards the version only where the statement names one, and also where the coordinator has nothing to do.
const propagationSql = `
  create function stand_in.propagate() returns event_trigger language plpgsql as $$
  declare
    node stand_in.node;
    known record;
    version text := (regexp_match(current_query(), $re$version '([^']+)'$re$))[1];
    updated text := (regexp_match(current_query(), $re$update to '([^']+)'$re$))[1];
  begin
    if current_setting('citus.enable_ddl_propagation', true) = 'off' then return; end if;
    select extname, nspname into known from pg_extension join pg_namespace n on n.oid = extnamespace where extname = 'vector';
    for node in select * from stand_in.node where groupid > 0 loop
      begin
        perform stand_in.dblink_exec(node.line, case tg_tag
          when 'CREATE EXTENSION' then format('create extension if not exists vector with schema %I', known.nspname)
            || coalesce(format(' version %L', version), '')
          when 'ALTER EXTENSION' then format('alter extension vector update to %L', updated)
          else 'drop extension if exists vector' end);
      exception when others then
        raise exception using message = sqlerrm, errcode = sqlstate,
          detail = format('while executing command on %s:%s', node.nodename, node.nodeport);
      end;
    end loop;
  end $$;
  create event trigger propagate on ddl_command_end when tag in ('CREATE EXTENSION', 'ALTER EXTENSION', 'DROP EXTENSION')
    execute function stand_in.propagate();`
