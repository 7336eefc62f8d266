import { parameterText } from '../../database/literal-values.ts'
import type { ByteWriter } from './byte-writer.ts'

/** How values of a column travel in PostgreSQL's binary format. */
export interface Codec {
  /** The OID of the type as an element of an array; 0 for a type of an extension. */
  readonly oid: number
  /** The type, as a cast of a parameter needs it. */
  readonly type: string
  /** Writes a value that is not null; returns why it cannot be stored, or null. */
  readonly write: (value: unknown, to: ByteWriter) => string | null
  readonly read: (bytes: Buffer) => unknown
  /** The value as the type's input function reads it. */
  readonly textOf: (bytes: Buffer) => string
  /** The function that returns a value's bytes. */
  readonly send: string
}

/** A codec of a type of PostgreSQL's own. */
export function ownCodec(
  name: string,
  oid: number,
  { send = `${name}send`, ...codec }: Pick<Codec, 'write' | 'read'> & Partial<Pick<Codec, 'send' | 'textOf'>>,
): Codec {
  const textOf = (bytes: Buffer): string => parameterText(codec.read(bytes)) ?? ''
  return { textOf, ...codec, oid, type: `pg_catalog.${name}`, send: `pg_catalog.${send}` }
}
