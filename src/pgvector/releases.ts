import { isAtLeast } from './version.ts'

/** A defect in a range of pgvector releases. */
export interface Advisory {
  readonly id: string
  readonly kind: 'security' | 'corruption'
  /** The first affected release. */
  readonly since: string
  /** The first release that is no longer affected. */
  readonly fixedIn: string
  /** The effect, in one clause. */
  readonly effect: string
  /** The indexes to rebuild after the update; null if none need it. */
  readonly reindex: 'hnsw' | 'ivfflat' | null
  /** Where the defect is documented. */
  readonly source: string
}

/**
 * The known defects of pgvector releases, newest first (pgvector's CHANGELOG.md and issues, as of 0.8.7).
 *
 * CVE-2026-18022 is left out: it needs a 32-bit server. The only such server is PGlite, whose release has the fix.
 */
export const advisories = [
  {
    id: 'pgvector#1036',
    kind: 'security',
    since: '0.1.0',
    fixedIn: '0.8.7',
    effect: 'an IVFFlat index build can overflow a buffer',
    reindex: null,
    source: 'https://github.com/pgvector/pgvector/issues/1036',
  },
  {
    id: 'pgvector#995',
    kind: 'corruption',
    since: '0.8.4',
    fixedIn: '0.8.5',
    effect: 'an IVFFlat index on an empty table can fail with "memory required is …"',
    reindex: null,
    source: 'https://github.com/pgvector/pgvector/issues/995',
  },
  {
    id: 'pgvector#988',
    kind: 'corruption',
    since: '0.5.0',
    fixedIn: '0.8.4',
    effect:
      'inserts during a vacuum can damage an HNSW index (errors "different vector dimensions", "hnsw graph not repaired")',
    reindex: 'hnsw',
    source: 'https://github.com/pgvector/pgvector/pull/988',
  },
  {
    id: 'CVE-2026-3172',
    kind: 'security',
    since: '0.6.0',
    fixedIn: '0.8.2',
    effect: 'a parallel HNSW index build can leak data of other tables or crash the server',
    reindex: null,
    source: 'https://github.com/pgvector/pgvector/issues/959',
  },
  {
    id: 'pgvector 0.3.1',
    kind: 'corruption',
    since: '0.2.7',
    fixedIn: '0.3.1',
    effect: 'rows inserted after the build are missing from IVFFlat indexes',
    reindex: 'ivfflat',
    source: 'https://github.com/pgvector/pgvector/blob/master/CHANGELOG.md',
  },
] as const satisfies readonly Advisory[]

/**
 * Returns the advisories that apply to a version.
 *
 * `extversion` reports which SQL objects are installed, not which library is loaded. Releases 0.8.1 to 0.8.6 differ in
 * the library alone, so a patched server may still report an older version.
 *
 * @example advisoriesFor('0.8.0').map(({ id }) => id) // ['pgvector#1036', 'pgvector#988', 'CVE-2026-3172']
 */
export function advisoriesFor(version: string): Advisory[] {
  return advisories.filter(({ since, fixedIn }) => isAtLeast(version, since) && !isAtLeast(version, fixedIn))
}

/** A pgvector release that introduced something a user may want. */
export interface Release {
  readonly version: string
  readonly brings: readonly string[]
}

/** What each release introduced, oldest first (pgvector's CHANGELOG.md, 0.5.0 to 0.8.7). */
export const releases = [
  { version: '0.5.0', brings: ['HNSW indexes', 'parallel IVFFlat builds'] },
  { version: '0.5.1', brings: ['faster HNSW builds'] },
  { version: '0.6.0', brings: ['parallel HNSW builds'] },
  {
    version: '0.7.0',
    brings: [
      'the types halfvec (indexes up to 4,000 dimensions) and sparsevec',
      'indexes on bit',
      'L1, Hamming and Jaccard distances in HNSW indexes',
      'binary_quantize',
    ],
  },
  { version: '0.8.0', brings: ['iterative index scans, which return enough rows under a selective filter'] },
  { version: '0.8.1', brings: ['PostgreSQL 18'] },
] as const satisfies readonly Release[]

/** Returns what an update from one version to another brings. */
export function broughtBetween(before: string, after: string): string[] {
  return releases
    .filter(({ version }) => !isAtLeast(before, version) && isAtLeast(after, version))
    .flatMap(({ version, brings }) => brings.map((what) => `${version}: ${what}`))
}

/** Returns the advisories that apply to the first version but not to the second. */
export function endedBetween(before: string, after: string): Advisory[] {
  const left = advisoriesFor(after)
  return advisoriesFor(before).filter((advisory) => !left.includes(advisory))
}
