import type { Knex } from 'knex'

/** What an application writes that only wants to know the version. */
export async function queryVersion(knex: Knex): Promise<void> {
  await knex.raw(`select extversion from pg_extension where extname = 'vector'`)
}

/**
 * What an application writes that checks by hand what ensurePgvector checks, one statement after the other: the server,
 * whether its files are there, the extension, its version, its type, a value, its operators.
 */
export async function usualSequence(knex: Knex): Promise<void> {
  await knex.raw('show server_version')
  await knex.raw(`select default_version, installed_version from pg_available_extensions where name = 'vector'`)
  await knex.raw('create extension if not exists vector')
  await knex.raw(`select extversion from pg_extension where extname = 'vector'`)
  await knex.raw(`select 'vector'::regtype`)
  await knex.raw(`select '[1,2,3]'::vector`)
  await knex.raw(`select oprname from pg_operator where oprname in ('<->', '<#>', '<=>')`)
}
