import { PgvectorMigrationError } from '../core/errors.ts'
import { tableOf } from '../columns/column.ts'
import { columnLabel } from '../columns/facts.ts'
import { type Database, type Session, sessionOf } from '../database/session.ts'
import { reasonOf } from '../database/table-trust.ts'
import { assertEmbedding, type Embedding } from '../embeddings/embedding.ts'
import { clock } from './clock.ts'
import { pairOf, type ModelPair } from './pair.ts'
import { readRegistry, type RegistryState } from './registry.ts'

/** What an embedding can be searched by. */
export interface SearchablePairs {
  readonly active: ModelPair
  /** The pair from before the switch, which stays in step until the change of model is contracted. */
  readonly previous: ModelPair | null
  readonly warnings: readonly string[]
}

/** How long a search uses what it read, in milliseconds. A change of model waits longer before it drops a column. */
export const CACHE_MILLISECONDS = 3000

interface Cached {
  readonly until: number
  readonly pairs: Promise<SearchablePairs>
}

// By the configuration, which a Knex instance shares with its transactions.
const caches = new WeakMap<object, Map<string, Cached>>()

/**
 * Returns the column and the model that an embedding is searched by now: the active pair of the registry, or the declared
 * one if no change of model was ever begun. The answer may be a few seconds old.
 *
 * @example const { column, model } = await activeModel(knex, articles)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS or RELATION_NOT_FOUND.
 */
export async function activeModel(db: Database, embedding: Embedding): Promise<ModelPair> {
  assertEmbedding(embedding)
  return (await searchablePairs(sessionOf(db), embedding)).active
}

/** Returns what an embedding can be searched by, from the cache if it is recent. */
export function searchablePairs(session: Session, embedding: Embedding): Promise<SearchablePairs> {
  const cache = caches.get(session.identity) ?? new Map<string, Cached>()
  caches.set(session.identity, cache)
  const key = keyOf(embedding)
  const cached = cache.get(key)
  const now = clock.now()
  if (cached !== undefined && cached.until > now) return cached.pairs
  const pairs = readPairs(session, embedding)
  cache.set(key, { until: now + CACHE_MILLISECONDS, pairs })
  // An error is not remembered.
  pairs.catch(() => forgetPairs(session, embedding))
  return pairs
}

/** Makes the next search read the registry again. */
export function forgetPairs(session: Session, embedding: Embedding): void {
  caches.get(session.identity)?.delete(keyOf(embedding))
}

function keyOf({ column: { schema, table, name }, model }: Embedding): string {
  return JSON.stringify([schema, table, name, model])
}

async function readPairs(session: Session, embedding: Embedding): Promise<SearchablePairs> {
  const { column, model } = embedding
  const { facts, row } = await readRegistry(session, column)
  if (facts.table === null) {
    throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: tableOf(column), kind: 'table' })
  }
  const active = pairOf(column, row?.active ?? { column: column.name, model }, facts)
  if (active === null)
    throw new PgvectorMigrationError('RELATION_NOT_FOUND', { name: columnLabel(column), kind: 'column' })
  const isSwitched = row !== null && row.target !== null && row.active.column === row.target.column
  const previous = isSwitched && row.source !== null ? pairOf(column, row.source, facts) : null
  return { active, previous, warnings: warningsOf(facts) }
}

// Both are safe: the declared column still has vectors of the declared model, or does not exist.
function warningsOf({ registry, table }: RegistryState['facts']): readonly string[] {
  if (registry === null) return []
  const declared = 'so the declared column and model are searched'
  if (registry.distrust !== null) {
    const { table: name, remedies } = registry.distrust
    return [
      `The registry ${name} is not trusted, because ${reasonOf(registry.distrust)}, ${declared}. ` +
        `Check what it contains, then as a superuser: ${remedies.join(' ')}`,
    ]
  }
  if (registry.canRead) return []
  return [
    `This role may not read the registry of ${table?.schema ?? ''}.${table?.name ?? ''}, ${declared}. Grant it SELECT.`,
  ]
}
