import type { PgvectorMigrationError } from '../../core/errors.ts'
import type { BuildForecast } from '../../indexes/forecast/forecast-build.ts'
import type { VectorIndex } from '../../indexes/vector-index.ts'
import type { PlannedStatement } from '../../database/record-statements.ts'
import type { PlanSource } from './sources.ts'
import type { MigrationTables } from '../settings.ts'

export type { PlannedStatement }

/** What pending migrations would send. */
export interface PlanResult {
  readonly migrations: readonly PlannedMigration[]
  /** What the plan cannot know, in sentences. */
  readonly notes: readonly string[]
  readonly origin: PlanOrigin
  /** What the index builds of these migrations on existing tables would take, if that was requested. */
  readonly forecasts?: readonly BuildForecast[]
}

/** A plan up to the migration that failed, with what that migration had sent. */
export interface PartialPlan extends PlanResult {
  /** Null if the plan is complete. */
  readonly failure: PgvectorMigrationError<'PLAN_FAILED'> | null
  /** For each migration, where its statements come from. */
  readonly sources: readonly PlanSource[]
  /** The vector indexes that they build. */
  readonly indexes: readonly VectorIndex[]
}

/** A pending migration, with its statements in order. */
export interface PlannedMigration {
  readonly name: string
  /** False if it runs outside a transaction. Transactions that it opens itself are among the statements. */
  readonly transactional: boolean
  readonly statements: readonly PlannedStatement[]
}

/** The state of the database that a plan was created for. */
export interface PlanOrigin {
  readonly database: string
  /** The version of PostgreSQL, as the server reports it. */
  readonly server: string
  /** The enabled version of pgvector; null if it is not enabled. */
  readonly pgvector: string | null
  readonly searchPath: string
  readonly applied: readonly string[]
  /** When it was read, as ISO 8601. */
  readonly at: string
  readonly tables: MigrationTables
  /** The statements that create the tracking tables, if they are missing. */
  readonly bookkeeping: readonly string[]
}
