import { identifier, literal, sendable } from '../core/sql.ts'
import type { VectorTarget } from './target.ts'

/**
 * SQL: the hash of what a vector is made of, as bytea: the model and the values of the source columns.
 *
 * The binary form of a value does not depend on the settings of a session, but names its type by OID. A type that is
 * not PostgreSQL's own has another OID after a restore, so its values are hashed as text.
 */
export function sourceHashSql({ read, model, alias }: Pick<VectorTarget, 'read' | 'model' | 'alias'>): string {
  const values = read.map(
    ({ name, sentAs }) => `${alias}.${identifier(name)}::${sendable(sentAs ?? 'pg_catalog.text')}`,
  )
  const row = [`${literal(model)}::pg_catalog.text`, ...values].join(', ')
  return `pg_catalog.sha256(pg_catalog.record_send(row(${row})))`
}
