import { errorMessage } from '../../core/errors.ts'
import type { ByteWriter } from './byte-writer.ts'
import { ownCodec, type Codec } from './codec.ts'

const text: Pick<Codec, 'write' | 'read'> = {
  write: (value, to) => {
    if (typeof value !== 'string') return 'must be a text'
    if (value.includes('\0')) return 'has a zero byte, which a text cannot hold'
    to.text(value)
    return null
  },
  read: (bytes) => bytes.toString('utf8'),
}

function json(write: (text: string, to: ByteWriter) => void): Codec['write'] {
  return (value, to) => {
    const written = stringified(value)
    if ('problem' in written) return written.problem
    write(written.text, to)
    return null
  }
}

function stringified(value: unknown): { readonly text: string } | { readonly problem: string } {
  try {
    const made = JSON.stringify(value) as string | undefined
    return made === undefined ? { problem: 'must be a value that JSON has' } : { text: made }
  } catch (error) {
    return { problem: `cannot be written as JSON: ${errorMessage(error)}` }
  }
}

const UUID = /^[\da-f]{8}-?[\da-f]{4}-?[\da-f]{4}-?[\da-f]{4}-?[\da-f]{12}$/i
const UUID_PARTS = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/
const JSONB_VERSION = 1

/** Text, identifiers, truth, documents and bytes. */
export const otherCodecs: readonly Codec[] = [
  ownCodec('text', 25, text),
  ownCodec('varchar', 1043, text),
  ownCodec('uuid', 2950, {
    write: (value, to) => {
      if (typeof value !== 'string' || !UUID.test(value)) return 'must be a uuid'
      to.raw(Buffer.from(value.replaceAll('-', ''), 'hex'))
      return null
    },
    read: (bytes) => bytes.toString('hex').replace(UUID_PARTS, '$1-$2-$3-$4-$5'),
    send: 'uuid_send',
  }),
  ownCodec('bool', 16, {
    write: (value, to) => {
      if (typeof value !== 'boolean') return 'must be true or false'
      to.raw(Uint8Array.of(value ? 1 : 0))
      return null
    },
    read: (bytes) => bytes[0] === 1,
  }),
  ownCodec('json', 114, {
    write: json((written, to) => to.text(written)),
    read: (bytes) => JSON.parse(bytes.toString('utf8')) as unknown,
    textOf: (bytes) => bytes.toString('utf8'),
    send: 'json_send',
  }),
  ownCodec('jsonb', 3802, {
    write: json((written, to) => {
      to.raw(Uint8Array.of(JSONB_VERSION))
      to.text(written)
    }),
    read: (bytes) => JSON.parse(bytes.toString('utf8', 1)) as unknown,
    textOf: (bytes) => bytes.toString('utf8', 1),
    send: 'jsonb_send',
  }),
  ownCodec('bytea', 17, {
    write: (value, to) => {
      if (!(value instanceof Uint8Array)) return 'must be a Buffer or a Uint8Array'
      to.raw(value)
      return null
    },
    // A copy, because the chunk that it came in is large.
    read: (bytes) => Buffer.from(bytes),
  }),
]
