/** What a value in PostgreSQL's binary format is, and how it reads as text. */
export interface BinaryKind {
  readonly name: string
  readonly textOf: (bytes: Buffer) => string
}

// A registered symbol, because a migration may use another copy of this package.
const KIND = Symbol.for('knex-pgvector.binary')

/** Marks bytes as a value in PostgreSQL's binary format, so that a plan can print the value as text. */
export function markBinary(bytes: Buffer, kind: BinaryKind): Buffer {
  return Object.defineProperty(bytes, KIND, { value: kind })
}

/** Returns what a value in binary format is; null for any other value. */
export function binaryKindOf(value: unknown): BinaryKind | null {
  return Buffer.isBuffer(value) ? ((Reflect.get(value, KIND) as BinaryKind | undefined) ?? null) : null
}
