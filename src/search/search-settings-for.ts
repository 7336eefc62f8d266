import { PgvectorMigrationError } from '../core/errors.ts'
import type { Parsed } from '../core/parse-options.ts'
import type { VectorIndex } from '../indexes/vector-index.ts'
import { isAtLeast } from '../pgvector/version.ts'
import {
  searchSettings,
  settingsFor,
  type searchOptions,
  type SearchOptions,
  type SettingName,
  type Wanted,
} from './settings.ts'

/**
 * How far a search of an index looks: as far as its options say, and by default far enough for the rows that are asked for.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS where an option is for another kind of index,
 * SEARCH_OPTION_NOT_SUPPORTED where this version of pgvector has no such setting.
 */
export function searchSettingsFor(
  { method }: Pick<VectorIndex, 'method'>,
  options: Parsed<typeof searchOptions>,
  { rows, version, iterativeScan }: SearchNeeds,
): Wanted[] {
  const isOurs = ({ name }: Pick<Wanted, 'name'>): boolean => name.startsWith(`${method}.`)
  const all = settingsFor(options)
  const given = all.filter(isOurs)
  const problems = all
    .filter((setting) => !isOurs(setting) && !given.some(({ name }) => optionOf(name) === optionOf(setting.name)))
    .map(({ name }) => `${optionOf(name)}: has no effect on an index of ${method}`)
  if (problems.length > 0) throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  for (const { name } of given) {
    const { option, since } = searchSettings[name]
    if (!isAtLeast(version, since)) {
      throw new PgvectorMigrationError('SEARCH_OPTION_NOT_SUPPORTED', { option, since, installed: version })
    }
  }
  const defaults = defaultsOf[method](rows)
    .filter(({ name }) => isAtLeast(version, searchSettings[name].since))
    .filter(({ name }) => iterativeScan === undefined || optionOf(name) !== 'iterativeScan')
    .map((setting) => ({ ...setting, isDefault: true }))
  return [...given, ...defaults.filter(({ name }) => !given.some((each) => each.name === name))]
}

/** What a search needs of its settings. */
interface SearchNeeds {
  /** The number of rows that the index proposes. */
  readonly rows: number
  /** The version of the extension. */
  readonly version: string
  /** What the caller set for this search, or around it; otherwise undefined. */
  readonly iterativeScan: SearchOptions['iterativeScan']
}

const LARGEST_EF_SEARCH = searchSettings['hnsw.ef_search'].values.largest
// pgvector's default is twice this number.
const MANY_ROWS = 10_000

// An ordering of its own follows, so a relaxed order costs nothing. A strict one skips rows that come too late.
const defaultsOf = {
  hnsw: (rows) => [
    { name: 'hnsw.ef_search', value: String(Math.min(rows, LARGEST_EF_SEARCH)), atLeast: true },
    { name: 'hnsw.iterative_scan', value: 'relaxed_order' },
    ...(rows > MANY_ROWS ? [{ name: 'hnsw.max_scan_tuples', value: String(2 * rows), atLeast: true } as const] : []),
  ],
  ivfflat: () => [{ name: 'ivfflat.iterative_scan', value: 'relaxed_order' }],
} as const satisfies Record<VectorIndex['method'], (rows: number) => readonly Wanted[]>

function optionOf(name: SettingName): string {
  return searchSettings[name].option
}
