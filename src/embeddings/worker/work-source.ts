import type { Key } from '../key-sql.ts'

/** A row that is to be embedded, as it was read. */
export interface WorkRow {
  readonly key: Key
  /** The columns that the vector is made of. */
  readonly row: Readonly<Record<string, unknown>>
  /** The hash of these columns and the model, in hexadecimal. */
  readonly hash: string
  /** The numbers of its marks when it was read, oldest first. */
  readonly seen: readonly number[]
  /** How often it has failed in earlier rounds. */
  readonly rounds: number
}

/** A row with the vector made of it, in binary format. */
export interface MadeRow extends WorkRow {
  readonly value: Buffer
}

/**
 * What became of a vector. `done`: another session has written one. `changed`: the row is no longer what the vector was
 * made of. `locked`: another session is changing the row. `gone`: the row was deleted.
 */
export type Written = 'written' | 'done' | 'changed' | 'locked' | 'gone'

/** What became of the vectors of one statement. */
export interface WriteResult {
  readonly results: readonly Written[]
  /** How long the server took, while the rows were locked; null if it wrote nothing. */
  readonly milliseconds: number | null
}

/** Rows that this worker has taken, so that no other worker embeds them. */
export interface Claim {
  /** Names the claim, so that its lease can be renewed. */
  readonly id: string
  readonly keys: readonly Key[]
}

/** Where the rows of a worker come from, and where their vectors go. */
export interface WorkSource {
  /** Takes rows; null if there are none to take now. */
  claim(limit: number): Promise<Claim | null>
  /**
   * Reads claimed rows, as many of the first as fit into so many bytes. What need not be embedded is settled and left
   * out.
   */
  read(
    claim: Claim,
    keys: readonly Key[],
    bytes: number,
  ): Promise<{ readonly rows: readonly WorkRow[]; readonly rest: readonly Key[] }>
  /**
   * Writes vectors in one statement, each only where it belongs to what the row says. The rows that were not locked are
   * to be released.
   */
  write(claim: Claim, made: readonly MadeRow[]): Promise<WriteResult>
  /** Gives rows back. */
  release(claim: Claim, keys: readonly Key[]): Promise<void>
  /** Gives rows back that are to be tried again after a pause. */
  postpone(claim: Claim, rows: readonly WorkRow[], milliseconds: number, error: string): Promise<void>
  /** Gives rows up until they change, or until someone asks for another attempt. */
  giveUp(claim: Claim, rows: readonly WorkRow[], error: string): Promise<void>
  /** Whether rows are left that are not to be taken now: another worker has them, or they wait for another attempt. */
  hasMore(): Promise<boolean>
}
