import { PgvectorMigrationError } from '../core/errors.ts'
import type { Parsed } from '../core/parse-options.ts'
import type { VectorIndex } from '../indexes/vector-index.ts'
import { isAtLeast } from '../pgvector/version.ts'
import { searchSettings, settingsFor, type searchOptions, type SettingName, type Wanted } from './settings.ts'

/**
 * How far a search of an index looks: as far as its options say, and by default far enough for the rows that are asked for.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS where an option is for another kind of index,
 * SEARCH_OPTION_NOT_SUPPORTED where this version of pgvector has no such setting.
 */
export function searchSettingsFor(
  { method }: Pick<VectorIndex, 'method'>,
  options: Parsed<typeof searchOptions>,
  rows: number,
  version: string,
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
  const defaults = defaultsOf[method](rows).filter(({ name }) => isAtLeast(version, searchSettings[name].since))
  return [...given, ...defaults.filter(({ name }) => !given.some((each) => each.name === name))]
}

const LARGEST_EF_SEARCH = searchSettings['hnsw.ef_search'].values.largest

// An ordering of its own follows, so an order that is relaxed costs nothing.
const defaultsOf = {
  hnsw: (rows) => [
    { name: 'hnsw.ef_search', value: String(Math.min(rows, LARGEST_EF_SEARCH)), atLeast: true },
    { name: 'hnsw.iterative_scan', value: 'strict_order' },
  ],
  ivfflat: () => [{ name: 'ivfflat.iterative_scan', value: 'relaxed_order' }],
} as const satisfies Record<VectorIndex['method'], (rows: number) => readonly Wanted[]>

function optionOf(name: SettingName): string {
  return searchSettings[name].option
}
