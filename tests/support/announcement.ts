import type { TestServers } from './found-servers.ts'

// On two cores that do nothing else.
const MINUTES = { embedded: 6, servers: 25 } as const

/** Says what a run will test, on what and for how long. */
export function announcement({ found, missing }: TestServers, isWholeSuite: boolean): string {
  const databases = ['the embedded database', ...found.map(({ name }) => name)]
  const minutes = found.length === 0 ? MINUTES.embedded : MINUTES.servers
  return [
    `${isWholeSuite ? 'The whole suite' : 'The selected tests'} on ${databases.join(', ')}.`,
    ...(isWholeSuite ? [`It takes about ${minutes} minutes on two idle cores.`] : []),
    ...(missing.length === 0 ? [] : [`No server for: ${missing.join(', ')}. The tests that need them are skipped.`]),
    ...(missing.length === 0 ? [] : ['To run them, start Docker or set TEST_DATABASE_URL.']),
  ].join('\n')
}
