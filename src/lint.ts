export {
  lintMigrations,
  type LintFacts,
  type LintFinding,
  type LintResult,
  type LintedMigration,
  type UnreadStatement,
} from './lint/lint-migrations.ts'
export { lint, type LintOptions } from './lint/lint-pending.ts'
export type { LintRule } from './lint/rules.ts'
export type { KnownTable } from './lint/known-table.ts'
