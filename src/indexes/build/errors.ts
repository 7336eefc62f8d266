import { PgvectorMigrationError, isPgvectorMigrationError, sqlStateOf } from '../../core/errors.ts'
import { identifier, qualified } from '../../core/sql.ts'
import { serverMessage } from '../../database/server-message.ts'
import type { TableFacts } from '../look/facts.ts'
import type { VectorIndex } from '../vector-index.ts'
import type { Stopped } from './watch.ts'

const DISK_FULL = '53100'
const PROGRAM_LIMIT_EXCEEDED = '54000'

/** PostgreSQL reports a full /dev/shm as a full disk. */
export function isSharedMemoryFull(error: unknown): boolean {
  return sqlStateOf(error) === DISK_FULL && /shared memory segment/.test(serverMessage(error))
}

/** What a build ends with, from what the server said and from who stopped it. */
export function buildError(
  error: unknown,
  stopped: Stopped,
  index: VectorIndex,
  table: TableFacts,
  waited: number,
): unknown {
  if (stopped?.by === 'signal') return interrupted(index, error)
  if (stopped?.by === 'wait') {
    const details = {
      table: qualified(table.schema, table.name),
      attempts: 1,
      milliseconds: waited,
      blockers: stopped.blockers,
    }
    return new PgvectorMigrationError('TABLE_BUSY', details, { cause: error })
  }
  if (isPgvectorMigrationError(error)) return error
  const name = identifier(index.name)
  const said = serverMessage(error)
  if (isSharedMemoryFull(error)) return needsMemory(name, 'shared memory', said, error)
  if (sqlStateOf(error) === PROGRAM_LIMIT_EXCEEDED && said.startsWith('memory required is')) {
    return needsMemory(name, 'maintenance_work_mem', said, error)
  }
  return new PgvectorMigrationError('INDEX_BUILD_FAILED', { index: name, problem: said }, { cause: error })
}

/** The caller's signal came. */
export function interrupted({ name }: VectorIndex, cause?: unknown): PgvectorMigrationError {
  const problem = 'it was stopped by its caller'
  return new PgvectorMigrationError('INDEX_BUILD_FAILED', { index: identifier(name), problem }, { cause })
}

function needsMemory(
  index: string,
  kind: 'shared memory' | 'maintenance_work_mem',
  needed: string,
  cause: unknown,
): PgvectorMigrationError {
  return new PgvectorMigrationError('INDEX_NEEDS_MEMORY', { index, kind, needed }, { cause })
}
