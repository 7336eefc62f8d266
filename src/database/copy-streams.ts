import type { Readable, Writable } from 'node:stream'

/** A COPY that a connection of node-postgres runs, as a stream. It counts the rows. */
interface Copy {
  readonly rowCount: number
}

/** The part of the package pg-copy-streams that is used here. */
interface CopyStreams {
  /** COPY … FROM STDIN */
  readonly from: (statement: string) => Writable & Copy
  /** COPY … TO STDOUT */
  readonly to: (statement: string) => Readable & Copy
}

/** Loads the package on the first copy, because most processes copy nothing. */
export function loadCopyStreams(): CopyStreams {
  return require('pg-copy-streams') as CopyStreams
}
