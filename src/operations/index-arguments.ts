import type { VectorType } from '../extension/limits.ts'
import type { BuildOptions } from '../vectors/build-options.ts'
import type { IndexMethod, MethodFor } from '../vectors/capabilities.ts'
import type { VectorColumn } from '../vectors/column.ts'
import { vectorIndex, type VectorIndex, type VectorIndexOptions } from '../vectors/vector-index.ts'

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

/** What both ways of saying it come to. */
export interface IndexOperation {
  readonly index: VectorIndex
  readonly transaction: boolean
  readonly build: BuildOptions
}

export function indexOperation<Type extends VectorType, Method extends IndexMethod & MethodFor<Type>>(
  given: IndexArguments<Type, Method>,
): IndexOperation {
  const isDeclared = isIndex(given)
  const index = isDeclared ? given[0] : vectorIndex(given[0], given[1])
  const { transaction = false, ...build } = (isDeclared ? given[1] : given[2]) ?? {}
  return { index, transaction, build }
}

function isIndex<Type extends VectorType, Method extends IndexMethod & MethodFor<Type>>(
  given: IndexArguments<Type, Method>,
): given is readonly [index: VectorIndex<Type>, options?: IndexOperationOptions] {
  return 'column' in given[0]
}
