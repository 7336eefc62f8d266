/** The elements of a sparsevec that are not zero. */
export interface SparseVector {
  readonly dimensions: number
  /** The places of the elements, counted from 0. */
  readonly indices: readonly number[]
  readonly values: readonly number[]
}

/** The elements that are given, and the length of the vector. */
export interface Elements {
  readonly values: readonly number[] | Float32Array | Float64Array
  /** Their places in ascending order, counted from 0; null if all elements are given. */
  readonly places: readonly number[] | null
  readonly length: number
}
