import type { Knex } from 'knex'

/** Calls a function of the database with these arguments, and returns its value. */
export async function valueOf(knex: Knex, name: string, ...values: readonly unknown[]): Promise<unknown> {
  const { rows } = await knex.raw<{ rows: [{ value: unknown }] }>(
    `select ${name}(${values.map(() => '?').join(', ')}) as value`,
    values as readonly Knex.RawBinding[],
  )
  return rows[0].value
}
