import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { afterChanges } from '../indexes/build/errors.ts'
import type { Operation } from './operation.ts'

/** The `down` of a migration. */
export interface MigrationDown {
  (knex: Knex): Promise<void>
  /**
   * The part of it that can run inside a transaction. `losses` runs this part and rolls it back, to see what `down`
   * would lose. It is a property of the function, because a migration's module exports `down`.
   */
  readonly inTransaction?: (knex: Knex) => Promise<void>
}

/** The module that Knex expects of a migration. */
export interface MigrationModule {
  readonly up: (knex: Knex) => Promise<void>
  readonly down: MigrationDown
  readonly config: { readonly transaction: boolean }
}

/**
 * Composes operations into a migration. `up` runs them in order, and `down` rolls them back in reverse order.
 *
 * The migration runs in a transaction unless one of the operations cannot, such as an index build that does not block
 * writes. Outside a transaction, the work done before a failure remains, and running the migration again continues from
 * there.
 *
 * @example
 * ```ts
 * const embedding = vectorColumn('documents', 'embedding', { dimensions: 1536 })
 *
 * export const { up, down, config } = migration([
 *   new EnablePgvector({ minVersion: '0.7.0' }),
 *   new AddVectorColumn(embedding),
 *   new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }),
 * ])
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS if one of them is not an operation.
 */
export function migration(operations: readonly Operation[]): MigrationModule {
  assertOperations(operations)
  const inTransaction = operations.filter(({ transaction, downInTransaction = transaction }) => downInTransaction)
  const transaction = operations.every((operation) => operation.transaction)
  const run = async (knex: Knex, direction: 'up' | 'down', part: readonly Operation[]): Promise<void> => {
    const done: string[] = []
    for (const operation of direction === 'up' ? part : part.toReversed()) {
      try {
        await operation[direction](knex)
      } catch (error) {
        // In a transaction, nothing of it remains.
        throw transaction || done.length === 0 ? error : afterChanges(error, [ranBefore(direction, done)])
      }
      done.push(operation.description)
    }
  }
  return {
    up: (knex) => run(knex, 'up', operations),
    down: Object.assign((knex: Knex) => run(knex, 'down', operations), {
      inTransaction: (knex: Knex) => run(knex, 'down', inTransaction),
    }),
    config: { transaction },
  }
}

function ranBefore(direction: 'up' | 'down', done: readonly string[]): string {
  return `this migration ${direction === 'up' ? 'ran' : 'rolled back'} "${done.join('", "')}", which stays`
}

// JavaScript callers can pass any value.
function assertOperations(operations: unknown): void {
  if (!Array.isArray(operations)) throw invalid('operations: must be a list')
  const wrong = operations.findIndex((operation) => !isOperation(operation))
  if (wrong !== -1) throw invalid(`operations[${wrong}]: must be an operation, like new EnablePgvector()`)
}

function isOperation(value: unknown): boolean {
  const { up, down, transaction } = (value ?? {}) as Partial<Operation>
  return typeof up === 'function' && typeof down === 'function' && typeof transaction === 'boolean'
}

function invalid(problem: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
}
