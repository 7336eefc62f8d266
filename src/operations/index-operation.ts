import type { Knex } from 'knex'

import type { VectorType } from '../pgvector/vector-types.ts'
import { buildIndex } from '../indexes/build/build.ts'
import { buildOptions, type BuildOptions } from '../indexes/build/options.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import type { IndexMethod, MethodFor } from '../pgvector/index-methods.ts'
import type { VectorColumn } from '../columns/column.ts'
import { dropIndex } from '../indexes/drop.ts'
import { isVectorIndex, vectorIndex, type VectorIndex, type VectorIndexOptions } from '../indexes/vector-index.ts'
import type { Operation } from './operation.ts'

/** How an index of a migration is built, and whether the migration stays in a transaction. */
export interface IndexOperationOptions extends Omit<BuildOptions, 'signal'> {
  /**
   * Build it in the migration's transaction, which needs a table that was made in it or has no rows; default false:
   * the migration runs outside a transaction and the index is built beside those who write.
   */
  readonly transaction?: boolean | undefined
}

/** An index that was declared before, or a column and what its index is to be; then how it is built. */
export type IndexArguments<Type extends VectorType, Method extends IndexMethod & MethodFor<Type>> =
  | readonly [index: VectorIndex<Type>, options?: IndexOperationOptions]
  | readonly [column: VectorColumn<Type>, index: VectorIndexOptions<Type, Method>, options?: IndexOperationOptions]

const operationOptions = lazySchema((z) =>
  buildOptions()
    .omit({ signal: true })
    .extend({ transaction: z.boolean('must be true or false').default(false) }),
)

/** What building an index and dropping it have in common, each of which is the way back of the other. */
export abstract class IndexOperation<
  const Type extends VectorType,
  const Method extends IndexMethod & MethodFor<Type>,
> implements Operation {
  abstract readonly description: string
  readonly transaction: boolean
  protected readonly index: VectorIndex
  readonly #options: BuildOptions

  constructor(...given: IndexArguments<Type, Method>) {
    const isDeclared = isIndex(given)
    const all: IndexOperationOptions | undefined = isDeclared ? given[1] : given[2]
    if (all !== undefined) parseOptions(operationOptions, all)
    const { transaction = false, ...options } = all ?? {}
    this.index = isDeclared ? given[0] : vectorIndex(given[0], given[1])
    this.transaction = transaction
    this.#options = options
  }

  abstract up(knex: Knex): Promise<void>
  abstract down(knex: Knex): Promise<void>

  protected async build(knex: Knex): Promise<void> {
    await buildIndex(knex, this.index, this.#options)
  }

  /** Drops it, or with `onlyOurs` leaves what this library did not build. */
  protected async drop(knex: Knex, { onlyOurs }: { readonly onlyOurs: boolean }): Promise<void> {
    const { lockTimeout, wait, onEvent, logger, log } = this.#options
    await dropIndex(knex, this.index, { lockTimeout, wait, onEvent, logger, log, onlyOurs })
  }
}

function isIndex<Type extends VectorType, Method extends IndexMethod & MethodFor<Type>>(
  given: IndexArguments<Type, Method>,
): given is readonly [index: VectorIndex<Type>, options?: IndexOperationOptions] {
  return isVectorIndex(given[0])
}
