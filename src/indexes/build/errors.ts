import { refusedRight, type TableWithRights } from '../../columns/table-rights.ts'
import { PgvectorMigrationError, isPgvectorMigrationError, sqlStateOf } from '../../core/errors.ts'
import { identifier, qualified } from '../../core/sql.ts'
import { serverMessage } from '../../database/server-message.ts'
import type { GivenUp } from './watch.ts'

const DISK_FULL = '53100'
const PROGRAM_LIMIT_EXCEEDED = '54000'

/** PostgreSQL reports a full /dev/shm as a full disk. */
export function isSharedMemoryFull(error: unknown): boolean {
  return sqlStateOf(error) === DISK_FULL && /shared memory segment/.test(serverMessage(error))
}

/** The work that failed. */
export interface AttemptedWork {
  readonly statement: 'CREATE INDEX' | 'DROP INDEX' | 'REINDEX INDEX'
  /** The name of the index. */
  readonly index: string
  readonly table: TableWithRights
  /** When it began: Date.now(). */
  readonly started: number
}

/** Returns the error that ends work on an index, from the server's error and from what stopped the work. */
export function workError({ error, stopped }: GivenUp, { statement, index, table, started }: AttemptedWork): unknown {
  const code = statement === 'DROP INDEX' ? 'INDEX_DROP_FAILED' : 'INDEX_BUILD_FAILED'
  if (stopped?.by === 'signal') return interrupted(index, error, code)
  if (stopped?.by === 'wait') {
    const details = {
      table: qualified(table.schema, table.name),
      attempts: 1,
      milliseconds: Date.now() - started,
      blockers: stopped.blockers,
    }
    return new PgvectorMigrationError('TABLE_BUSY', details, { cause: error })
  }
  const refused = refusedRight(error, statement, table)
  if (isPgvectorMigrationError(refused)) return refused
  const name = identifier(index)
  const said = serverMessage(error)
  if (isSharedMemoryFull(error)) return needsMemory(name, 'shared memory', said, error)
  if (sqlStateOf(error) === PROGRAM_LIMIT_EXCEEDED && said.startsWith('memory required is')) {
    return needsMemory(name, 'maintenance_work_mem', said, error)
  }
  return new PgvectorMigrationError(code, { index: name, problem: said }, { cause: error })
}

/** The caller's signal aborted. */
export function interrupted(
  index: string,
  cause?: unknown,
  code: 'INDEX_BUILD_FAILED' | 'INDEX_DROP_FAILED' = 'INDEX_BUILD_FAILED',
): PgvectorMigrationError {
  const problem = 'it was stopped by its caller'
  return new PgvectorMigrationError(code, { index: identifier(index), problem }, { cause })
}

/** Returns the same error with another hint. An error that is not ours stays unchanged. */
export function withHint(error: unknown, hint: string): unknown {
  if (!isPgvectorMigrationError(error)) return error
  return new PgvectorMigrationError(error.code, error.details, { cause: error.cause, hint })
}

/** Returns the error of one step, with the changes that earlier steps made. */
export function afterChanges(error: unknown, changed: readonly string[]): unknown {
  if (changed.length === 0) return error
  if (isPgvectorMigrationError(error, 'SESSION_SHARED')) {
    return new PgvectorMigrationError('SESSION_SHARED', { ...error.details, changed }, { cause: error.cause })
  }
  return isPgvectorMigrationError(error) ? withHint(error, `Before that, ${changed.join(', ')}. ${error.hint}`) : error
}

function needsMemory(
  index: string,
  kind: 'shared memory' | 'maintenance_work_mem',
  needed: string,
  cause: unknown,
): PgvectorMigrationError {
  return new PgvectorMigrationError('INDEX_NEEDS_MEMORY', { index, kind, needed }, { cause })
}
