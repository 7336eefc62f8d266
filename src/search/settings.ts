import type { ZodType } from 'zod'

import { PgvectorMigrationError } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import { isCitusSql, rememberSingle } from '../database/topology.ts'
import { lazySchema, type Parsed, type Z } from '../core/parse-options.ts'
import { literal } from '../core/sql.ts'
import type { StatementSetting } from '../database/statement-settings.ts'
import { indexMethodsSql } from '../pgvector/index-methods.ts'

/** How thorough a search is, for one transaction. Settings that are omitted stay unchanged. */
export interface SearchOptions {
  /** HNSW: the number of rows kept while the graph is searched, which limits the rows that can be found; 1 to 1000. */
  readonly efSearch?: number | undefined
  /**
   * Whether the index scan continues if a condition leaves too few rows (pgvector 0.8.0). `strict_order`, by exact
   * distance, is for HNSW only and has no effect on IVFFlat.
   */
  readonly iterativeScan?: 'off' | 'relaxed_order' | 'strict_order' | undefined
  /** HNSW: the number of rows after which an iterative scan gives up (pgvector 0.8.0). */
  readonly maxScanTuples?: number | undefined
  /** HNSW: the memory of an iterative scan, as a multiple of work_mem, 1 to 1000 (pgvector 0.8.0). */
  readonly scanMemMultiplier?: number | undefined
  /** IVFFlat: the number of lists to search; 1 to 32768. */
  readonly probes?: number | undefined
  /** IVFFlat: the number of lists after which an iterative scan gives up; 1 to 32768 (pgvector 0.8.0). */
  readonly maxProbes?: number | undefined
}

/** A setting of pgvector: the option that sets it, its value, and the release that introduced it. */
interface SearchSetting {
  readonly option: keyof SearchOptions
  readonly since: string
  readonly values: readonly string[] | { readonly smallest: number; readonly largest: number; readonly isReal?: true }
}

/** The settings of a search, by their names on the server (hnsw.c and ivfflat.c of pgvector, as of 0.8.7). */
export const searchSettings = {
  'hnsw.ef_search': { option: 'efSearch', since: '0.5.0', values: { smallest: 1, largest: 1000 } },
  'hnsw.iterative_scan': {
    option: 'iterativeScan',
    since: '0.8.0',
    values: ['off', 'relaxed_order', 'strict_order'],
  },
  'hnsw.max_scan_tuples': { option: 'maxScanTuples', since: '0.8.0', values: { smallest: 1, largest: 2_147_483_647 } },
  'hnsw.scan_mem_multiplier': {
    option: 'scanMemMultiplier',
    since: '0.8.0',
    values: { smallest: 1, largest: 1000, isReal: true },
  },
  'ivfflat.probes': { option: 'probes', since: '0.1.0', values: { smallest: 1, largest: 32_768 } },
  'ivfflat.iterative_scan': { option: 'iterativeScan', since: '0.8.0', values: ['off', 'relaxed_order'] },
  'ivfflat.max_probes': { option: 'maxProbes', since: '0.8.0', values: { smallest: 1, largest: 32_768 } },
} as const satisfies Record<string, SearchSetting>

export type SettingName = keyof typeof searchSettings

const settings = Object.entries(searchSettings) as readonly (readonly [SettingName, SearchSetting])[]

const iterativeScans = searchSettings['hnsw.iterative_scan'].values

/** @internal */
export const searchOptions = lazySchema((z) =>
  z.strictObject({
    efSearch: valuesOf(z, 'hnsw.ef_search').optional(),
    iterativeScan: z.enum(iterativeScans, `must be one of ${iterativeScans.join(', ')}`).optional(),
    maxScanTuples: valuesOf(z, 'hnsw.max_scan_tuples').optional(),
    scanMemMultiplier: valuesOf(z, 'hnsw.scan_mem_multiplier').optional(),
    probes: valuesOf(z, 'ivfflat.probes').optional(),
    maxProbes: valuesOf(z, 'ivfflat.max_probes').optional(),
  } satisfies Record<keyof SearchOptions, unknown>),
)

function valuesOf(z: Z, name: SettingName): ZodType<number | string> {
  const { values }: SearchSetting = searchSettings[name]
  if ('smallest' in values) {
    const { smallest, largest, isReal } = values
    const message = `must be a ${isReal === true ? '' : 'whole '}number from ${smallest} to ${largest}`
    const number = isReal === true ? z.number(message) : z.int(message)
    return number.min(smallest, message).max(largest, message)
  }
  return z.enum(values, `must be one of ${values.join(', ')}`)
}

/** What a setting is to be. */
export interface Wanted {
  readonly name: SettingName
  readonly value: string
  /** Leave it as it is if it is more already. */
  readonly atLeast?: boolean
  /** No one asked for it, so a library that does not know it is no error. */
  readonly isDefault?: boolean
}

/** The settings that options ask for. @internal */
export function settingsFor(options: Parsed<typeof searchOptions>): Wanted[] {
  return settings.flatMap(([name, { option, values }]) => {
    const value = options[option]
    if (value === undefined || ('smallest' in values ? false : !values.includes(String(value)))) return []
    return [{ name, value: String(value) }]
  })
}

interface Answer {
  /** The previous values; null for a setting that the loaded library does not have. */
  readonly before: Readonly<Record<SettingName, string | null>>
}

/** Sets all of them or, where the library does not know one, none; returns what they were. */
export async function setUntilEnd(trx: Session, wanted: readonly Wanted[]): Promise<Wanted[]> {
  if (wanted.length === 0) return []
  const [loaded, answer] = (await trx.askEach([loadSql, setSql(wanted)])) as [
    { readonly version: string; readonly isCitus: boolean } | undefined,
    Answer,
  ]
  if (loaded === undefined) {
    throw new PgvectorMigrationError('VERIFICATION_FAILED', { problems: ['the extension vector is not enabled here'] })
  }
  if (!loaded.isCitus) rememberSingle(trx)
  return wanted.map(({ name }) => {
    const value = answer.before[name]
    if (value !== null) return { name, value }
    const { option, since } = searchSettings[name]
    throw new PgvectorMigrationError('SEARCH_OPTION_NOT_SUPPORTED', { option, since, installed: loaded.version })
  })
}

/** Sets them again to what they were. */
export async function setBack(trx: Session, wanted: readonly Wanted[]): Promise<void> {
  if (wanted.length > 0) await trx.ask(setSql(wanted))
}

// Reading a property of an access method calls its handler, which loads the library wherever the extension is.
const loadSql = `
  select json_build_object('version', extversion, 'isCitus', ${isCitusSql}, 'methods', (
    select count(pg_indexam_has_property(oid, 'can_order')) from pg_catalog.pg_am where amname in ${indexMethodsSql}
  )) as state
  from pg_catalog.pg_extension where extname = 'vector'`

// A loaded library rejects a setting that it does not have, which would abort the transaction.
function setSql(wanted: readonly Wanted[]): string {
  const rows = wanted.map(
    ({ name, value, atLeast = false }) => `(${literal(name)}, ${literal(value)}, ${String(atLeast)})`,
  )
  return `
  with setting as materialized (
    select name, current_setting(name, true) as before,
      case when at_least then greatest(value::int, current_setting(name, true)::int)::text else value end as value
    from (values ${rows.join(', ')}) as wanted (name, value, at_least)
  )
  select json_build_object(
    'before', (select json_object_agg(name, before) from setting),
    'set', case when not exists (select from setting where before is null)
      then (select json_agg(set_config(name, value, true)) from setting) end
  ) as state`
}

/** The same for a statement that sets them for itself. */
export function statementSettings(wanted: readonly Wanted[]): StatementSetting[] {
  return wanted.map(({ name, value, atLeast = false, isDefault = false }) => {
    const now = `pg_catalog.current_setting(${literal(name)}, true)`
    // A setting that was made before the library was loaded, and ended, is an empty text.
    const number = `pg_catalog.substring(${now}, '^[0-9]+$')::pg_catalog.int4`
    const larger = `greatest(${number}, ${value})::pg_catalog.text`
    return { name: literal(name), value: atLeast ? larger : literal(value), isOptional: isDefault }
  })
}
