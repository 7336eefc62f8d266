import { parse, type SemVer } from 'semver'

/**
 * Reads a pgvector version as its SQL objects report it: a provider's suffix (0.8.1.google-1, 0.8.0-yb-1.0) is cut,
 * a missing patch number is zero. Null for what is no version.
 *
 * @example parseVersion('0.8.1.google-1')?.version // '0.8.1'
 */
export function parseVersion(text: string): SemVer | null {
  const numbers = /^\d+(?:\.\d+){0,2}(?=$|[.\-+_])/.exec(text)?.[0].split('.')
  if (numbers === undefined) return null
  return parse([...numbers, '0', '0'].slice(0, 3).map(Number).join('.'))
}

/** Whether `version` is `minimum` or newer; false for what is no version. */
export function isAtLeast(version: string, minimum: string): boolean {
  const left = parseVersion(version)
  const right = parseVersion(minimum)
  return left !== null && right !== null && left.compare(right) >= 0
}

/** The newest of these versions; null where none of them is one. */
export function newest(versions: readonly string[]): string | null {
  return versions
    .filter((version) => parseVersion(version) !== null)
    .reduce<string | null>((best, version) => (best === null || !isAtLeast(best, version) ? version : best), null)
}
