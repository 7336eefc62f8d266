import { millisecondsText } from '../time-text.ts'
import { SHOWN_OF_LIST, type Messages } from './text.ts'

/** The facts of errors of columns, indexes and search. */
export interface ColumnErrors {
  readonly RELATION_NOT_FOUND: { readonly name: string; readonly kind: 'table' | 'column' | 'index' }
  readonly COLUMN_DIFFERS: { readonly column: string; readonly existing: string; readonly wanted: string }
  readonly COLUMN_NEEDS_VALUES: { readonly column: string }
  readonly COLUMN_IN_USE: { readonly column: string; readonly dependents: readonly string[] }
  readonly INDEX_NOT_POSSIBLE: ImpossibleIndex
  readonly INDEX_DIFFERS: { readonly index: string; readonly existing: string; readonly wanted: string }
  readonly INDEX_NEEDS_ROWS: {
    readonly index: string
    readonly rows: number
    /** Those of a partitioned table that have no rows; none where the table is not partitioned. */
    readonly partitions: readonly string[]
  }
  readonly INDEX_NEEDS_MEMORY: {
    readonly index: string
    readonly kind: 'maintenance_work_mem' | 'shared memory'
    /** What the server asked for, in its words. */
    readonly needed: string
  }
  readonly INDEX_BUILD_FAILED: { readonly index: string; readonly problem: string }
  readonly INDEX_DROP_FAILED: { readonly index: string; readonly problem: string }
  readonly TENANT_INDEXES_NOT_POSSIBLE: { readonly table: string; readonly problems: readonly string[] }
  readonly TABLE_BUSY: {
    readonly table: string
    readonly attempts: number
    readonly milliseconds: number
    /** The server processes that held the table at the last attempt. */
    readonly blockers: readonly number[]
  }
  readonly SEARCH_OPTION_NOT_SUPPORTED: {
    readonly option: string
    readonly since: string
    readonly installed: string
  }
}

/** An index that pgvector cannot make, and why, for each way that was tried. */
export interface ImpossibleIndex {
  /** The table and the column. */
  readonly column: string
  readonly type: string
  readonly dimensions: number | null
  readonly method: string
  readonly metric: string
  readonly problems: readonly string[]
}

function listed(names: readonly string[]): string {
  const more = names.length - SHOWN_OF_LIST
  return more > 0 ? `${names.slice(0, SHOWN_OF_LIST).join(', ')} and ${more} more` : names.join(', ')
}

function capitalised(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}

export const columnMessages: Messages<ColumnErrors> = {
  RELATION_NOT_FOUND: ({ name, kind }) => ({
    message: `${capitalised(kind)} ${name} does not exist`,
    hint: 'Check the name, its case and its schema. Without { schema }, the search path of this role decides.',
  }),
  COLUMN_DIFFERS: ({ column, existing, wanted }) => ({
    message: `Column ${column} is of type ${existing}, not ${wanted}`,
    hint: 'Nothing was changed. Declare the column as it is, or add a new column under another name and backfill it.',
  }),
  COLUMN_NEEDS_VALUES: ({ column }) => ({
    message: `Column ${column} cannot be added as NOT NULL: the table has rows, and they would have no value for it`,
    hint:
      'Add it without { notNull }, backfill it with backfillVectors, and in a later migration run: ' +
      'alter table … alter column … set not null.',
  }),
  COLUMN_IN_USE: ({ column, dependents }) => ({
    message: `Column ${column} is in use by ${dependents.join(', ')}`,
    hint: 'Nothing was changed. Drop what uses it first, in the same migration (DropVectorIndex for an index).',
  }),
  INDEX_NOT_POSSIBLE: ({ column, type, dimensions, method, metric, problems }) => ({
    message:
      `pgvector has no ${method} index for the ${metric} distance of ${column} ` +
      `(${type}${dimensions === null ? '' : `(${dimensions})`}): ${problems.join('; ')}`,
    hint:
      dimensions === null
        ? 'Declare the number of dimensions of the column: all embeddings of a model have the same length.'
        : 'Choose another type, method or metric, or a model with fewer dimensions. Many models can shorten their embeddings.',
  }),
  INDEX_DIFFERS: ({ index, existing, wanted }) => ({
    message: `Index ${index} already exists with a different definition:\n  existing: ${existing}\n  wanted:   ${wanted}`,
    hint: 'Nothing was changed. Give the new index another { name }, or drop the old one in an earlier migration.',
  }),
  INDEX_NEEDS_ROWS: ({ index, rows, partitions }) => ({
    message:
      `An ivfflat index is trained on existing rows, and ` +
      (partitions.length === 0
        ? `the table ${rows === 0 ? 'is empty' : `has ${rows}`}: ${index} would have almost no recall`
        : `there are none in ${listed(partitions)}: ${index} would have almost no recall there`),
    hint:
      'Load the data first, or use hnsw, which needs no rows.' +
      (partitions.length === 0 ? '' : " { whenEmpty: 'build' } builds the index of those partitions anyway."),
  }),
  INDEX_NEEDS_MEMORY: ({ index, kind, needed }) => ({
    message: `Not enough ${kind} to build ${index}: ${needed}`,
    hint:
      kind === 'shared memory'
        ? 'Give the server more shared memory (Docker: --shm-size, Compose: shm_size), or build with { workers: 0 }.'
        : 'Raise { maxMemory }, or declare fewer lists.',
  }),
  INDEX_BUILD_FAILED: ({ index, problem }) => ({
    message: `Index ${index} was not built: ${problem}`,
    hint: 'Fix the cause and run the same command again. Leftovers of the failed build are detected and replaced.',
  }),
  INDEX_DROP_FAILED: ({ index, problem }) => ({
    message: `Index ${index} was not dropped: ${problem}`,
    hint: 'Nothing was changed. Fix the cause and run the same command again.',
  }),
  TENANT_INDEXES_NOT_POSSIBLE: ({ table, problems }) => ({
    message: `Tenants of ${table} cannot have indexes of their own: ${problems.join('; ')}`,
    hint:
      'Nothing was changed. The rule needs an ordinary table all of whose rows this role may read, and a column of type ' +
      'smallint, integer, bigint, uuid, text or varchar. On a partitioned table, declare the rule for its partitions, or ' +
      'make each big tenant a partition.',
  }),
  TABLE_BUSY: ({ table, attempts, milliseconds, blockers }) => ({
    message:
      `Could not lock table ${table} in ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'} (${millisecondsText(milliseconds)})` +
      (blockers.length === 0
        ? ''
        : `; backend PID ${blockers.join(', ')} ${blockers.length === 1 ? 'holds' : 'hold'} it`),
    hint:
      'No other session was blocked, and nothing was changed. Run it again when long transactions have ended: ' +
      "select pid, state, xact_start, query from pg_stat_activity where state <> 'idle' order by xact_start;",
  }),
  SEARCH_OPTION_NOT_SUPPORTED: ({ option, since, installed }) => ({
    message: `The search option ${option} needs pgvector ${since}; ${installed} is installed`,
    hint: `Leave ${option} out, or update the extension: ALTER EXTENSION vector UPDATE;`,
  }),
}
