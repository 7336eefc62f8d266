import Knex, { type Knex as KnexInstance } from 'knex'

import { assertPostgres } from './supported.ts'

/** An expression in SQL with the values of its question marks. */
export interface Expression {
  readonly sql: string
  readonly bindings: readonly Buffer[]
}

// The parts of Knex's Raw that its types do not declare. They are the same in Knex 3.0.1 to 3.3.
interface Written {
  client: KnexInstance.Client
  set(sql: string, bindings: readonly Buffer[]): void
  toSQL: (...given: unknown[]) => KnexInstance.Sql
}

/**
 * An expression for a query that is not known yet. It is written when that query is, with the identity of its Knex
 * instance: the same object for an instance and its transactions.
 */
export function lazyFragment<Value>(write: (identity: object) => Expression): KnexInstance.Raw<Value> {
  const raw = unconnected().raw('') as unknown as Written
  const plain = raw.toSQL.bind(raw)
  raw.toSQL = (...given) => {
    // Knex puts the client of the query into every expression of it.
    const { client } = raw
    assertPostgres({ client } as KnexInstance)
    const { sql, bindings } = write((client as { readonly config: object }).config)
    raw.set(sql, bindings)
    return plain(...given)
  }
  return raw as unknown as KnexInstance.Raw<Value>
}

let instance: KnexInstance | undefined

// Without a connection it has no pool, and loads no driver.
function unconnected(): KnexInstance {
  instance ??= Knex({ client: 'pg' })
  return instance
}
