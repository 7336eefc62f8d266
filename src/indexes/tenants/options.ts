import { lazySchema, type Parsed } from '../../core/parse-options.ts'
import { buildOptions, type CreateIndexOptions, type IndexBuildEvent } from '../build/options.ts'
import { dropIndexOptions } from '../drop-vector-index.ts'

/** The index of a tenant. */
export interface TenantIndex {
  /** The value of the tenant's column, as PostgreSQL prints it. */
  readonly tenant: string
  /** The name of the index. */
  readonly index: string
  /** The rows of the tenant that have a vector; 0 for an index that is dropped if they are far too few. */
  readonly rows: number
}

/** What {@link planTenantIndexes} would do. */
export interface TenantIndexesPlan {
  /** The biggest tenant first. */
  readonly build: readonly TenantIndex[]
  readonly drop: readonly TenantIndex[]
  readonly keep: readonly TenantIndex[]
  /** Indexes that look like those of tenants and that are kept, because the log does not show that we built them. */
  readonly warnings: readonly string[]
}

/** An event of {@link ensureTenantIndexes}. */
export type TenantIndexesEvent =
  /** What will be done, before the first step. */
  | ({ readonly type: 'planned' } & Omit<TenantIndexesPlan, 'warnings'>)
  | ({ readonly type: 'dropped' } & TenantIndex)
  /** `done` of `total` builds are finished. */
  | ({ readonly type: 'built'; readonly done: number; readonly total: number } & TenantIndex)
  | IndexBuildEvent

/** Options of {@link ensureTenantIndexes}: those of each build. */
export interface EnsureTenantIndexesOptions extends Omit<CreateIndexOptions, 'whenEmpty' | 'onEvent'> {
  /** Receives the events. */
  readonly onEvent?: ((event: TenantIndexesEvent) => void) | undefined
}

/** Options of {@link planTenantIndexes}. */
export type PlanTenantIndexesOptions = Pick<CreateIndexOptions, 'log'>

/** Options of {@link dropTenantIndexes}: those of each drop. */
export type DropTenantIndexesOptions = Omit<EnsureTenantIndexesOptions, 'maxMemory' | 'workers'>

/** @internal */
export const ensureTenantOptions = lazySchema((z) =>
  buildOptions()
    .omit({ whenEmpty: true })
    .extend({
      onEvent: z
        .custom<(event: TenantIndexesEvent) => void>((value) => typeof value === 'function', 'must be a function')
        .optional(),
    }),
)

/** @internal */
export const planTenantOptions = lazySchema(() => buildOptions().pick({ log: true }))

/** @internal */
export const dropTenantOptions = lazySchema(() =>
  dropIndexOptions().omit({ onlyOurs: true, onEvent: true }).extend({ onEvent: ensureTenantOptions().shape.onEvent }),
)

/** @internal */
export type ParsedDropOptions = Parsed<typeof dropTenantOptions>
