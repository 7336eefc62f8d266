import type { SemVer } from 'semver'
import parse from 'semver/functions/parse'

// Up to three numbers count; what follows is a fourth number or a provider's suffix.
const VERSION = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.\d+)*(?:[.+_-][A-Za-z].*|[+_-].*)?$/

/**
 * Reads a pgvector version as its SQL objects report it: a provider's suffix (0.8.1.google-1, 0.8.0-yb-1.0) is cut,
 * a missing patch number is zero. Null for what is no version.
 *
 * @example parseVersion('0.8.1.google-1')?.version // '0.8.1'
 */
export function parseVersion(text: string): SemVer | null {
  if (!parsed.has(text)) parsed.set(text, readVersion(text))
  return parsed.get(text) ?? null
}

// Few versions are ever seen, and each of them is compared many times.
const parsed = new Map<string, SemVer | null>()

function readVersion(text: string): SemVer | null {
  const found = VERSION.exec(text)
  if (found === null) return null
  const [, major = '0', minor = '0', patch = '0'] = found
  return parse([major, minor, patch].map(Number).join('.'))
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
