// A tar has blocks of this size: a header, the content of the file, and zeros after the last file.
const BLOCK = 512

/** Moves the file that marks a folder as a database to the end of a dump, which is unpacked in its order. */
export function withVersionLast(tar: Buffer): Buffer {
  let at = 0
  let version = { start: 0, end: 0 }
  while (at + BLOCK <= tar.length && tar[at] !== 0) {
    const end = at + BLOCK + Math.ceil(sizeOf(tar, at) / BLOCK) * BLOCK
    if (nameOf(tar, at) === '/PG_VERSION') version = { start: at, end }
    at = end
  }
  const { start, end } = version
  return Buffer.concat([tar.subarray(0, start), tar.subarray(end, at), tar.subarray(start, end), tar.subarray(at)])
}

function nameOf(tar: Buffer, header: number): string {
  return tar.toString('latin1', header, header + 100).replace(/\0.*/s, '')
}

function sizeOf(tar: Buffer, header: number): number {
  return Number.parseInt(tar.toString('latin1', header + 124, header + 136), 8)
}
