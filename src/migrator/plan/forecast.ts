import { isPgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { forecastBuild, type BuildForecast } from '../../indexes/forecast/forecast-build.ts'
import type { VectorIndex } from '../../indexes/vector-index.ts'

/**
 * Forecasts the indexes that pending migrations build. A table or a column that these migrations create first has no rows
 * to forecast from.
 */
export async function forecastIndexes(session: Session, indexes: readonly VectorIndex[]): Promise<BuildForecast[]> {
  const forecasts: BuildForecast[] = []
  for (const index of indexes) {
    try {
      forecasts.push(await forecastBuild(session.knex, index))
    } catch (error) {
      if (!isPgvectorMigrationError(error) || !unforeseen.has(error.code)) throw error
    }
  }
  return forecasts
}

const unforeseen: ReadonlySet<string> = new Set([
  'PGVECTOR_NOT_ENABLED',
  'PGVECTOR_VERSION_TOO_LOW',
  'RELATION_NOT_FOUND',
  'COLUMN_DIFFERS',
])
