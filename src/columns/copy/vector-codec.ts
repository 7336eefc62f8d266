import { inExtension } from '../column.ts'
import type { VectorType } from '../../pgvector/vector-types.ts'
import { fromBinary } from '../binary.ts'
import { checkedElements } from '../values.ts'
import { binaryText, encodedSize, encodeInto } from '../wire-format.ts'
import type { Codec } from './codec.ts'

// PostgreSQL's own type; that of any length, because a cast to bit cuts what is longer.
const VARBIT = { oid: 1562, type: 'pg_catalog.varbit', send: 'pg_catalog.varbit_send' }

/**
 * The codec of a vector column.
 *
 * @param schema The schema of the extension.
 */
export function vectorCodec(type: VectorType, dimensions: number | null, schema: string): Codec {
  const named = { oid: 0, type: inExtension(type, schema), send: inExtension(`${type}_send`, schema) }
  return {
    ...(type === 'bit' ? VARBIT : named),
    write: (value, to) => {
      const checked = checkedElements(value, { type, dimensions })
      if ('problems' in checked) return checked.problems.join('; ')
      const start = to.reserve(encodedSize(type, checked))
      encodeInto(type, checked, to.bytes, start)
      return null
    },
    read: (bytes) => fromBinary(type, bytes),
    textOf: (bytes) => binaryText(type, bytes),
  }
}
