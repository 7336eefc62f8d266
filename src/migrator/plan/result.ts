import type { PgvectorMigrationError } from '../../core/errors.ts'
import type { PlannedStatement } from '../../database/record-statements.ts'
import type { MigrationTables } from '../settings.ts'

export type { PlannedStatement }

/** What pending migrations would send. */
export interface PlanResult {
  readonly migrations: readonly PlannedMigration[]
  /** What the plan cannot know, in sentences. */
  readonly notes: readonly string[]
  readonly origin: PlanOrigin
}

/** A plan of all that came before the migration that failed, with what that one had sent by then. */
export interface PartialPlan extends PlanResult {
  /** Null where the plan is whole. */
  readonly failure: PgvectorMigrationError<'PLAN_FAILED'> | null
}

/** A pending migration, with what it sends in its order. */
export interface PlannedMigration {
  readonly name: string
  /** False where it runs outside a transaction; those that it opens itself are among the statements. */
  readonly transactional: boolean
  readonly statements: readonly PlannedStatement[]
}

/** The state of the database that a plan was made for. */
export interface PlanOrigin {
  readonly database: string
  /** The version of PostgreSQL, as the server says it. */
  readonly server: string
  /** The version of pgvector that is enabled; null where none is. */
  readonly pgvector: string | null
  readonly searchPath: string
  readonly applied: readonly string[]
  /** When it was read, as ISO 8601. */
  readonly at: string
  readonly tables: MigrationTables
  /** What makes the tables that keep what was applied, where they are missing. */
  readonly bookkeeping: readonly string[]
}
