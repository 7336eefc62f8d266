import { PgvectorMigrationError } from '../core/errors.ts'
import type { QueryVector } from '../columns/read-elements.ts'
import type { Parsed } from '../core/parse-options.ts'
import { embeddingLabel, type Embedding } from '../embeddings/embedding.ts'
import type { SearchablePairs } from './active-pair.ts'
import type { EmbedText, embedTextOptions, VectorOfModel } from './nearest-text-options.ts'
import type { ModelPair } from './pair.ts'

/** A pair with a vector that its model made. */
export interface PairWithVector {
  readonly pair: ModelPair
  readonly vector: QueryVector
}

/**
 * Chooses the pair to search and makes the query's vector with its model, so that the two always belong together. A
 * release that does not know the active model yet searches the previous pair, which stays in step.
 *
 * @throws {PgvectorMigrationError} MODEL_NOT_SEARCHABLE
 */
export async function vectorFor(
  embedding: Embedding,
  { active, previous }: SearchablePairs,
  query: string | VectorOfModel,
  { embed, signal = new AbortController().signal }: Parsed<typeof embedTextOptions>,
): Promise<PairWithVector> {
  const pairs = [active, ...(previous === null ? [] : [previous])]
  if (typeof query !== 'string') {
    const pair = pairs.find(({ model }) => model === query.model)
    if (pair === undefined) throw notSearchable(embedding, query.model, pairs, [])
    return { pair, vector: query.vector }
  }
  const models = modelsOf(embedding, embed)
  const pair = pairs.find(({ model }) => models.has(model))
  const make = models.get(pair?.model ?? '')
  if (pair === undefined || make === undefined) throw notSearchable(embedding, active.model, pairs, [...models.keys()])
  return { pair, vector: await make(query, { signal }) }
}

function modelsOf(
  { model }: Embedding,
  embed: EmbedText | Readonly<Record<string, EmbedText>> | undefined,
): ReadonlyMap<string, EmbedText> {
  if (embed === undefined)
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: ['embed: is needed for a text'] })
  return new Map(typeof embed === 'function' ? [[model, embed]] : Object.entries(embed))
}

function notSearchable(
  embedding: Embedding,
  model: string,
  pairs: readonly ModelPair[],
  embeds: readonly string[],
): PgvectorMigrationError {
  const searchable = pairs.map((each) => each.model)
  return new PgvectorMigrationError('MODEL_NOT_SEARCHABLE', {
    embedding: embeddingLabel(embedding),
    model,
    searchable,
    embeds,
  })
}
