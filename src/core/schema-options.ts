import { nameKind, optionsParser } from './option-kinds.ts'

/** Options of questions about a database. */
export interface SchemaOptions {
  /** Only what is in this schema, or in those that match it as a LIKE pattern if it contains `%`; by default in all. */
  readonly schema?: string | undefined
}

/** @internal */
export const parseSchemaOptions = optionsParser({ schema: nameKind } as const satisfies Record<
  keyof SchemaOptions,
  unknown
>)
