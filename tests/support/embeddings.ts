import type { Knex } from 'knex'

const DIMENSIONS = 384

/** A unit vector, as pgvector reads it, whose cosine similarity with {@link reference} is this. */
export function similar(similarity: number): string {
  return vectorOf([similarity, Math.sqrt(1 - similarity ** 2)])
}

/** What the others are compared with: the first unit vector. */
export const reference = similar(1)

/** An embedding of 384 dimensions that begins with these numbers and goes on with zeros. */
export function vectorOf(numbers: readonly number[]): string {
  return `[${Array.from({ length: DIMENSIONS }, (_, index) => numbers[index] ?? 0).join(',')}]`
}

/** An entry with one embedding for each model; null for an embedding that is still missing. */
export async function addEntry(
  knex: Knex,
  name: string,
  embeddings: Readonly<Record<string, string | null>>,
): Promise<void> {
  const row = { entry_id: name, content: `about ${name}`, author: 'alice' }
  const [entry] = await knex('entries').insert(row, 'id')
  const { id } = entry as { id: string }
  await knex('entry_embeddings').insert(
    Object.entries(embeddings).map(([model_name, embedding]) => ({ entry_id: id, model_name, embedding })),
  )
}

/** A contract with one embedding for each section. */
export async function addContract(
  knex: Knex,
  title: string,
  sections: Readonly<Record<string, string | null>>,
): Promise<void> {
  const row = { contract_id: title, title, content: 'text', created_by: 'alice' }
  const [contract] = await knex('contracts').insert(row, 'id')
  const { id } = contract as { id: string }
  await knex('contract_embeddings').insert(
    Object.entries(sections).map(([section, embedding]) => ({ contract_id: id, section, embedding })),
  )
}

/** A row of a search, with the similarity rounded to what a four-byte float tells. */
export interface Found {
  readonly name: string
  readonly similarity: number
}

/** Calls search_similar_entries with what is given, and with its defaults where nothing is. */
export function findEntries(knex: Knex, ...values: readonly (string | number)[]): Promise<Found[]> {
  return find(knex, 'content', 'search_similar_entries', values)
}

/** Calls search_similar_contracts likewise. */
export function findContracts(knex: Knex, ...values: readonly (string | number)[]): Promise<Found[]> {
  return find(knex, 'title', 'search_similar_contracts', values)
}

async function find(knex: Knex, name: string, search: string, values: readonly (string | number)[]): Promise<Found[]> {
  const { rows } = await knex.raw<{ rows: { name: string; similarity: number }[] }>(
    `select ${name} as name, similarity from ${search}(${values.map(() => '?').join(', ')})`,
    [...values],
  )
  return rows.map((row) => ({
    name: row.name.replace('about ', ''),
    similarity: Math.round(row.similarity * 1e5) / 1e5,
  }))
}
