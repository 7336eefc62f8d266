/** When the PostgreSQL project ends its support of a major version: https://www.postgresql.org/support/versioning/ */
const endsOfLife = {
  13: '2025-11-13',
  14: '2026-11-12',
  15: '2027-11-11',
  16: '2028-11-09',
  17: '2029-11-08',
  18: '2030-11-14',
} as const satisfies Readonly<Record<number, string>>

/**
 * Returns the day from which a major version gets no more fixes, as ISO 8601; null for a version that the table does
 * not have.
 */
export function endOfLife(major: number): string | null {
  const known: Readonly<Record<number, string>> = endsOfLife
  return known[major] ?? null
}
