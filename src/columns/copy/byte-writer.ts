/** Bytes that are written one field after the other, in the order of the network. */
export class ByteWriter {
  #bytes: Buffer
  #length = 0

  /** @param size How many bytes there is room for at first. */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size)
  }

  get length(): number {
    return this.#length
  }

  /** Makes room for so many bytes and returns where they begin in `bytes`, which may have been replaced. */
  reserve(size: number): number {
    const start = this.#length
    const end = start + size
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, 2 * this.#bytes.length))
      this.#bytes.copy(larger, 0, 0, start)
      this.#bytes = larger
    }
    this.#length = end
    return start
  }

  get bytes(): Buffer {
    return this.#bytes
  }

  int16(value: number): void {
    const start = this.reserve(2)
    this.#bytes.writeInt16BE(value, start)
  }

  int32(value: number): void {
    const start = this.reserve(4)
    this.#bytes.writeInt32BE(value, start)
  }

  int64(value: bigint): void {
    const start = this.reserve(8)
    this.#bytes.writeBigInt64BE(value, start)
  }

  float4(value: number): void {
    const start = this.reserve(4)
    this.#bytes.writeFloatBE(value, start)
  }

  float8(value: number): void {
    const start = this.reserve(8)
    this.#bytes.writeDoubleBE(value, start)
  }

  raw(value: Uint8Array): void {
    const start = this.reserve(value.length)
    this.#bytes.set(value, start)
  }

  text(value: string): void {
    const start = this.reserve(Buffer.byteLength(value))
    this.#bytes.write(value, start)
  }

  /** Writes a length in front of what `write` writes. */
  withLength<Result>(write: () => Result): Result {
    const start = this.reserve(4)
    const result = write()
    this.#bytes.writeInt32BE(this.#length - start - 4, start)
    return result
  }

  /** Returns what was written, and begins with new bytes, because a socket may still hold these. */
  take(): Buffer {
    const written = this.#bytes.subarray(0, this.#length)
    this.#bytes = Buffer.allocUnsafe(this.#bytes.length)
    this.#length = 0
    return written
  }
}
