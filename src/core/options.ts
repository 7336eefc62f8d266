import { waitOption, type Duration } from './durations.ts'
import { isShortEnough, NAME_BYTES } from './names.ts'
import { lazySchema, type Parsed } from './parse-options.ts'

/** The oldest pgvector that this library accepts by default: the first with HNSW indexes. */
export const MIN_PGVECTOR_VERSION = '0.5.0'

/** The oldest PostgreSQL major version that this library supports. */
export const MIN_POSTGRES_MAJOR = 14

/** The embedding dimensions that are checked and recorded by default: those of the common model families. */
export const REQUIRED_DIMENSIONS = [384, 768, 1536, 3072] as const

/** The maximum dimensions of a `vector` column (pgvector, vector.h). */
export const MAX_COLUMN_DIMENSIONS = 16_000

/** The destination of messages; `console` is one. */
export interface Logger {
  info(message: string): void
  warn(message: string): void
}

/** The default name of the log table. */
export const defaultLogTable = 'pgvector_migration_log'

/** Where the migration log is kept. */
export interface LogOptions {
  /** The schema of the log table; default: the first schema of the search path. */
  readonly schema?: string | undefined
  /** The name of the log table; default `pgvector_migration_log`. */
  readonly table?: string | undefined
}

/** Options of {@link ensurePgvector}. */
export interface EnsureOptions {
  /** The oldest pgvector version to accept; default {@link MIN_PGVECTOR_VERSION}. */
  readonly minVersion?: string | undefined
  /**
   * The schema to create the extension in. The default is `public` if it is on the search path, and otherwise the first
   * schema of the path, with a warning. An installed extension stays in its schema.
   */
  readonly schema?: string | undefined
  /** Create that schema if it does not exist; default false. */
  readonly createSchema?: boolean | undefined
  /**
   * The embedding dimensions that you will store. They are checked, reported and recorded. Default {@link
   * REQUIRED_DIMENSIONS}.
   */
  readonly dimensions?: readonly number[] | undefined
  /** Update an installed version below `minVersion` if the server has a newer one; default false. */
  readonly update?: boolean | undefined
  /**
   * Use the type and the operators even if pgvector is already enabled; default false. By default only the catalogs are
   * read, which does not reveal a missing or broken library.
   */
  readonly verify?: boolean | undefined
  /** How long to wait for another session that is changing pgvector, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
  /** Where messages go; default: the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is kept; `false` writes none. */
  readonly log?: LogOptions | false | undefined
}

/** Options of {@link dropPgvector}. */
export interface DropOptions {
  /** Keep an extension that this library did not create; default true. */
  readonly onlyOurs?: boolean | undefined
  /** How long to wait for another session that is changing pgvector, in milliseconds or like '60s'; default 60000. */
  readonly wait?: Duration | undefined
  /** Where messages go; default: the console. `false` silences them. */
  readonly logger?: Logger | false | undefined
  /** Where the migration log is kept; `false` neither reads nor writes one. */
  readonly log?: LogOptions | false | undefined
}

/** A PostgreSQL name. @internal */
export const nameOption = lazySchema((z) =>
  z
    .string()
    .min(1, 'must not be empty')
    .refine(isShortEnough, `must be at most ${NAME_BYTES} bytes long`)
    .refine((text) => !text.includes('\0'), 'must not contain a zero byte'),
)

/** A condition in SQL, which is sent unchanged. @internal */
export const conditionOption = lazySchema((z) =>
  z
    .string('must be an SQL condition')
    .refine((text) => text.trim() !== '', 'must not be empty')
    .refine(
      (text) => !text.includes('\\?'),
      'must not contain a backslash before a question mark: Knex cannot send it',
    ),
)

/** @internal */
export const versionOption = lazySchema((z) =>
  z.string().regex(/^\d{1,9}(\.\d{1,9}){1,2}$/, "must be a version like '0.8.0'"),
)

const dimension = lazySchema((z) =>
  z
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(MAX_COLUMN_DIMENSIONS, `must be at most ${MAX_COLUMN_DIMENSIONS}, the limit of a vector column`),
)

/** Whether a value can receive messages, or silences them. */
export function isLogger(value: unknown): boolean {
  const candidate = value as Partial<Logger> | false | null | undefined
  return candidate === false || (typeof candidate?.info === 'function' && typeof candidate.warn === 'function')
}

const logger = lazySchema((z) => z.custom<Logger | false>(isLogger, 'must be false or have the methods info and warn'))

/** Where the migration log is, for functions that only read it. @internal */
export const logOptions = lazySchema((z) =>
  z.strictObject({ schema: nameOption().optional(), table: nameOption().default(DEFAULT_LOG.table) }),
)

const log = lazySchema((z) =>
  z.union(
    [z.literal(false), logOptions()],
    'must be false or an object with schema and table (names of 1 to 63 bytes)',
  ),
)

const DEFAULT_LOG = { table: defaultLogTable }

/** Where messages and the migration log go: options of every function that changes something. @internal */
export const outputOptions = lazySchema((z) =>
  z.strictObject({ logger: logger().optional(), log: log().default(DEFAULT_LOG) }),
)

/** The same options, for functions that wait for other sessions to change the extension. @internal */
export const extensionOptions = lazySchema(() => outputOptions().extend({ wait: waitOption() }))

/** @internal */
export const ensureOptions = lazySchema((z) =>
  z.strictObject({
    minVersion: versionOption().default(MIN_PGVECTOR_VERSION),
    schema: nameOption().optional(),
    createSchema: z.boolean('must be true or false').default(false),
    dimensions: z.array(dimension(), 'must be a list of numbers').default([...REQUIRED_DIMENSIONS]),
    update: z.boolean('must be true or false').default(false),
    verify: z.boolean('must be true or false').default(false),
    ...extensionOptions().shape,
  }),
)

/** The option `onlyOurs` of every drop: whether to keep what this library did not create. @internal */
export const onlyOursOption = lazySchema((z) => z.boolean('must be true or false').default(true))

/** @internal */
export const dropOptions = lazySchema((z) =>
  z.strictObject({
    onlyOurs: onlyOursOption(),
    ...extensionOptions().shape,
  }),
)

/** @internal */
export type ParsedEnsureOptions = Parsed<typeof ensureOptions>
/** @internal */
export type ParsedDropOptions = Parsed<typeof dropOptions>
