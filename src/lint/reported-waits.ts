import type { RelationName, Statement } from './statement.ts'
import type { Tables } from './tables.ts'

/** The tables of one migration for which a wait without a limit was reported. One limit before the first is enough. */
export class ReportedWaits {
  readonly #reported = new Set<string>()

  has(tables: Tables, relation: RelationName): boolean {
    return this.#reported.has(tables.keyOf(relation))
  }

  add(tables: Tables, { locks, changes }: Statement): void {
    for (const relation of locks) this.#reported.add(tables.keyOf(relation))
    for (const { kind, table, ...change } of changes) {
      if ((kind === 'rename' || kind === 'move') && 'to' in change) {
        const { schema, name } = tables.find(table) ?? table
        this.#reported.add(tables.keyOf(kind === 'rename' ? { schema, name: change.to } : { schema: change.to, name }))
      }
    }
  }
}
