import type { Knex } from 'knex'

import { inExtension, typeSql, type VectorColumn } from '../columns/column.ts'
import type { QueryVector } from '../columns/read-elements.ts'
import { queryVector } from '../columns/values.ts'
import { identifier } from '../core/sql.ts'
import { lazyFragment } from '../database/lazy-fragment.ts'
import { knownSchema } from '../extension/known-schema.ts'
import { indexedExpression, type VectorIndex } from '../indexes/vector-index.ts'
import { metrics, type Metric } from '../pgvector/index-methods.ts'
import type { VectorType } from '../pgvector/vector-types.ts'

/** Where an expression is used: what the query calls the table, and the schema of the extension. */
export interface Place {
  readonly alias: string
  /** Undefined for where the extension was found through the Knex instance of the query, else on the search path. */
  readonly schema?: string | undefined
}

/** What the index measures, with the same expression as the index, so that a query ordered by it uses the index. */
export function indexedDistance(index: VectorIndex, query: QueryVector, { alias, schema }: Place): Knex.Raw<number> {
  const { column, metric, storage } = index
  const isQuantized = storage.expression === 'binary quantization'
  const type = isQuantized ? column.type : storage.type
  const vector = queryVector(query, { column, type, metric })
  return lazyFragment((identity) => {
    const found = schema ?? knownSchema(identity)
    const parameter = parameterOf(type, column.dimensions, found)
    const compared = isQuantized ? `${inExtension('binary_quantize', found)}(${parameter})` : parameter
    const sql = `(${indexedExpression(index, found, alias)} ${operatorOf(storage.metric, found)} ${compared})`
    return { sql, bindings: [vector] }
  })
}

/** The distance by the column's own values. */
export function exactDistance(
  column: VectorColumn,
  metric: Metric,
  query: QueryVector,
  { alias, schema }: Place,
): Knex.Raw<number> {
  const { name, type, dimensions } = column
  const vector = queryVector(query, { column, type, metric })
  return lazyFragment((identity) => {
    const found = schema ?? knownSchema(identity)
    const compared = parameterOf(type, dimensions, found)
    const sql = `(${identifier(alias)}.${identifier(name)} ${operatorOf(metric, found)} ${compared})`
    return { sql, bindings: [vector] }
  })
}

// The length was checked, and to say it would have the server check it again; but bit alone is a single bit.
function parameterOf(type: VectorType, dimensions: number | null, schema: string | null): string {
  return `?::${typeSql(type, type === 'bit' ? dimensions : null, schema)}`
}

function operatorOf(metric: Metric, schema: string | null): string {
  const { operator } = metrics[metric]
  return schema === null ? operator : `operator(${identifier(schema)}.${operator})`
}
