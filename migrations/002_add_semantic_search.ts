import type { Knex } from 'knex'
import { dropPgvector, ensurePgvector } from '../src/index.ts'
export async function up(knex: Knex): Promise<void> {
  await ensurePgvector(knex)
}
export async function down(knex: Knex): Promise<void> {
  await dropPgvector(knex)
}
