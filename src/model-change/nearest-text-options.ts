import type { QueryVector } from '../columns/read-elements.ts'
import { lazySchema } from '../core/parse-options.ts'
import type { NearestRowsOptions } from '../search/nearest-rows-options.ts'

/** Makes the vector of a query's text. */
export type EmbedText = (text: string, options: { readonly signal: AbortSignal }) => PromiseLike<QueryVector>

/** What makes a query's vector. */
export interface EmbedTextOptions {
  /**
   * Computes the vector of a text, by the name of the model. A function alone stands for the declared model. It is called
   * with the active model, so a release that runs during a change of model names both.
   */
  readonly embed?: EmbedText | Readonly<Record<string, EmbedText>> | undefined
  /** Stops `embed`. */
  readonly signal?: AbortSignal | undefined
}

/** Options of {@link nearestText}: those of {@link nearestRows}, and what makes the query's vector. */
export interface NearestTextOptions<As extends string = string> extends NearestRowsOptions<As>, EmbedTextOptions {}

/** A vector that was made before, with the model that made it. */
export interface VectorOfModel {
  readonly vector: QueryVector
  readonly model: string
}

const isFunction = (value: unknown): boolean => typeof value === 'function'

/** @internal */
export const embedTextOptions = lazySchema((z) => {
  const message = 'must be a function, or an object with a function for each model'
  const embed = z.custom<EmbedText>(isFunction, message)
  return z.strictObject({
    embed: z.union([embed, z.record(z.string(), embed)], message).optional(),
    signal: z.instanceof(AbortSignal, { message: 'must be an AbortSignal' }).optional(),
  })
})
