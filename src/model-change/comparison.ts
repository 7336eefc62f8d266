/** What {@link compare} measured about one column. */
export interface MeasuredColumn {
  /** The share of the true nearest rows that a search of the index finds; null if nothing could be measured. */
  readonly recall: number | null
  /** The median time of a search, with its round trip. */
  readonly milliseconds: number | null
}

/** How well both columns of a change are searched, by the same rows. */
export interface Comparison {
  /** The number of rows that were searched for. */
  readonly queries: number
  /** The number of neighbours of each. */
  readonly limit: number
  readonly source: MeasuredColumn
  readonly target: MeasuredColumn
}
