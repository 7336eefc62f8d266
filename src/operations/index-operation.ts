import type { Knex } from 'knex'
import type { ZodType } from 'zod'

import type { VectorType } from '../pgvector/vector-types.ts'
import { createVectorIndex } from '../indexes/build/create-vector-index.ts'
import { buildOptions, type CreateIndexOptions } from '../indexes/build/options.ts'
import { lazySchema, parseOptions, type LazySchema } from '../core/parse-options.ts'
import type { IndexMethod, MethodFor } from '../pgvector/index-methods.ts'
import type { VectorColumn } from '../columns/column.ts'
import { dropVectorIndex } from '../indexes/drop-vector-index.ts'
import { isVectorIndex, vectorIndex, type VectorIndex, type VectorIndexOptions } from '../indexes/vector-index.ts'
import type { Operation } from './operation.ts'

/** How a migration builds an index, and whether it runs in a transaction. */
export interface IndexOperationOptions extends Omit<CreateIndexOptions, 'signal'> {
  /**
   * Build the index in the migration's transaction; default false. This needs a table that the migration created, or
   * one without rows. By default the migration runs outside a transaction, and the index is built without blocking
   * writes.
   */
  readonly transaction?: boolean | undefined
}

/** An index that was declared before, or a column and the definition of its index; then the build options. */
export type IndexArguments<
  Type extends VectorType,
  Method extends IndexMethod & MethodFor<Type>,
  Options extends IndexOperationOptions = IndexOperationOptions,
> =
  | readonly [index: VectorIndex<Type>, options?: Options]
  | readonly [column: VectorColumn<Type>, index: VectorIndexOptions<Type, Method>, options?: Options]

/** @internal */
export const indexOperationOptions = lazySchema((z) =>
  buildOptions()
    .omit({ signal: true })
    .extend({ transaction: z.boolean('must be true or false').default(false) }),
)

/** The common part of building and dropping an index, which reverse each other. */
export abstract class IndexOperation<
  const Type extends VectorType,
  const Method extends IndexMethod & MethodFor<Type>,
  Options extends IndexOperationOptions,
> implements Operation {
  abstract readonly description: string
  readonly transaction: boolean
  protected readonly index: VectorIndex
  protected readonly options: Omit<Options, 'transaction'>

  /** @internal */
  protected constructor(given: IndexArguments<Type, Method, Options>, schema: LazySchema<ZodType>) {
    const isDeclared = isIndex(given)
    const all = isDeclared ? given[1] : given[2]
    if (all !== undefined) parseOptions(schema, all)
    const { transaction = false, ...options } = all ?? ({} as Options)
    this.index = isDeclared ? given[0] : vectorIndex(given[0], given[1])
    this.transaction = transaction
    this.options = options
  }

  abstract up(knex: Knex): Promise<void>
  abstract down(knex: Knex): Promise<void>

  protected async build(knex: Knex, options: CreateIndexOptions): Promise<void> {
    await createVectorIndex(knex, this.index, options)
  }

  /** Drops the index. With `onlyOurs`, keeps an index that this library did not build. */
  protected async drop(knex: Knex, onlyOurs: boolean | undefined): Promise<void> {
    const { lockTimeout, wait, onEvent, logger, log } = this.options
    await dropVectorIndex(knex, this.index, { lockTimeout, wait, onEvent, logger, log, onlyOurs })
  }
}

function isIndex<
  Type extends VectorType,
  Method extends IndexMethod & MethodFor<Type>,
  Options extends IndexOperationOptions,
>(given: IndexArguments<Type, Method, Options>): given is readonly [index: VectorIndex<Type>, options?: Options] {
  return isVectorIndex(given[0])
}
