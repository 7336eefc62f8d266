const HEADER_BYTES = 19
const COUNT_BYTES = 2
const LENGTH_BYTES = 4
const END = -1

/** The fields of a row; null for null. */
export type Fields = readonly (Buffer | null)[]

/** Splits the chunks of a COPY … (format binary) into rows, several at a time. */
export async function* tuplesIn(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly Fields[]> {
  let parts: Buffer[] = []
  let length = 0
  let needed = HEADER_BYTES
  let offset = HEADER_BYTES
  for await (const chunk of chunks) {
    parts.push(chunk)
    length += chunk.length
    // A row of many chunks is put together once.
    if (length < needed) continue
    const bytes = parts.length === 1 ? chunk : Buffer.concat(parts)
    const rows: Fields[] = []
    let tuple = tupleAt(bytes, offset)
    while (typeof tuple !== 'number') {
      rows.push(tuple.fields)
      offset = tuple.end
      tuple = tupleAt(bytes, offset)
    }
    yield rows
    parts = [bytes.subarray(offset)]
    length = bytes.length - offset
    needed = tuple - offset
    offset = 0
  }
}

interface Tuple {
  readonly fields: Fields
  readonly end: number
}

/** The row that begins at an offset; where the bytes would have to end, if they do not contain all of it. */
function tupleAt(bytes: Buffer, start: number): Tuple | number {
  let offset = start + COUNT_BYTES
  if (bytes.length < offset) return offset
  const count = bytes.readInt16BE(start)
  if (count === END) return Infinity
  const fields: (Buffer | null)[] = []
  for (let field = 0; field < count; field++) {
    if (bytes.length < offset + LENGTH_BYTES) return offset + LENGTH_BYTES
    const length = bytes.readInt32BE(offset)
    offset += LENGTH_BYTES
    if (bytes.length < offset + length) return offset + length
    fields.push(length < 0 ? null : bytes.subarray(offset, offset + length))
    offset += Math.max(length, 0)
  }
  return { fields, end: offset }
}
