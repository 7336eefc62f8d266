import type { Knex } from 'knex'

import { catalogOf, rowsOf } from './catalog.ts'

/** Everything that must be the same after a rehearsal: the catalog, the rows of a table, the sequences. */
export async function everything(knex: Knex, ...tables: readonly string[]): Promise<unknown> {
  const sequences = await knex.raw(`select schemaname, sequencename, last_value from pg_sequences
    where sequencename <> 'knex_migrations_runs_id_seq' order by 1, 2`)
  const oids = await knex.raw(`select relname, oid, relfilenode from pg_class c
    where relnamespace in (select oid from pg_namespace where nspname !~ '^pg_') order by 1, 2`)
  const rows = await Promise.all(tables.map((table) => rowsOf(knex, table)))
  return { catalog: await catalogOf(knex), sequences: sequences.rows, oids: oids.rows, rows }
}
