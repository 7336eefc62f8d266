import type { SemVer } from 'semver'
import type Parse from 'semver/functions/parse'

// Up to three numbers count. A fourth number or a provider's suffix may follow.
const VERSION = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.\d+)*(?:[.+_-][A-Za-z].*|[+_-].*)?$/

/**
 * Parses a pgvector version as its SQL objects report it. A provider's suffix (0.8.1.google-1, 0.8.0-yb-1.0) is cut
 * off, and a missing patch number is zero. Returns null for text that is not a version.
 *
 * @example parseVersion('0.8.1.google-1')?.version // '0.8.1'
 */
export function parseVersion(text: string): SemVer | null {
  if (!parsed.has(text)) parsed.set(text, readVersion(text))
  return parsed.get(text) ?? null
}

// A process sees few versions, and compares each of them many times.
const parsed = new Map<string, SemVer | null>()

function readVersion(text: string): SemVer | null {
  const found = VERSION.exec(text)
  if (found === null) return null
  const [, major = '0', minor = '0', patch = '0'] = found
  // A short command compares no versions.
  const parse = require('semver/functions/parse') as typeof Parse
  return parse([major, minor, patch].map(Number).join('.'))
}

/** Whether `version` is `minimum` or newer; false for text that is not a version. */
export function isAtLeast(version: string, minimum: string): boolean {
  const left = parseVersion(version)
  const right = parseVersion(minimum)
  return left !== null && right !== null && left.compare(right) >= 0
}

/** Returns the newest of these versions, or null if none of them is a version. */
export function newest(versions: readonly string[]): string | null {
  return versions
    .filter((version) => parseVersion(version) !== null)
    .reduce<string | null>((best, version) => (best === null || !isAtLeast(best, version) ? version : best), null)
}
