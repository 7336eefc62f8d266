import { shown, shownIndex, type Problem, type Rule, type Step } from '../rule.ts'
import type { MadeIndex, Rebuild } from '../statement.ts'

/** A vector index takes minutes to hours to build. Without CONCURRENTLY, the build blocks writes to the table. */
export const blockingIndex: Rule = (step) => {
  const { index, rebuild } = step.statement
  if (rebuild !== null) return rebuilt(step, rebuild)
  return index === null || index.isConcurrent ? [] : built(step, index)
}

function built({ statement, tables, migration }: Step, { table, name, isOnly, isConditional }: MadeIndex): Problem[] {
  // A partitioned table has no rows of its own. Its partitions get their indexes one by one.
  if (isOnly && tables.find(table)?.isPartitioned !== false) return []
  if (isConditional && tables.hasIndex(table, name)) return []
  if (tables.isMadeIn(migration, table) || !tables.mayHaveRows(migration, table)) return []
  return [
    {
      message: `${shownIndex(statement)} is built without CONCURRENTLY: writes to ${shown(table)} are blocked until it is done`,
      next: 'Build it with CREATE INDEX CONCURRENTLY in a separate migration that exports config = { transaction: false }, or with CreateVectorIndex.',
    },
  ]
}

function rebuilt({ tables, migration }: Step, rebuild: Rebuild): Problem[] {
  if (!tables.mayRebuild(migration, rebuild)) return []
  const { what, name } = rebuild
  const named = `REINDEX ${what.toUpperCase()}${name === null ? '' : ` ${shown(name)}`}`
  const blocked = what === 'index' || what === 'table' ? 'the table' : 'their tables'
  return [
    {
      message: `${named} rebuilds vector indexes without CONCURRENTLY: writes to ${blocked} are blocked until it is done`,
      next: `Write REINDEX ${what.toUpperCase()} CONCURRENTLY, in a separate migration that exports config = { transaction: false }.`,
    },
  ]
}
