/** A real server that the tests may use, as a superuser. */
export interface TestServer {
  /** What a test report calls it: the image, or the server that TEST_DATABASE_URL names. */
  readonly name: string
  readonly url: string
  readonly major: number
  /** The version that `create extension vector` would install; null where the server has no files of it. */
  readonly pgvector: string | null
  /** Whether its files are in memory, where a new database is a quick copy of files. */
  readonly isInMemory?: boolean
}

/** What was found for the tests, and what was not, by name. */
export interface TestServers {
  readonly found: readonly TestServer[]
  readonly missing: readonly string[]
}

// Apart from servers.ts, because every test file needs these, and Testcontainers takes a quarter of a second to load.
const VARIABLE = 'KNEX_PGVECTOR_TEST_SERVERS'

/** Whether servers were published, by the global setup or in the shell. */
export function hasTestServers(): boolean {
  return process.env[VARIABLE] !== undefined
}

/** The servers that the global setup found; its workers inherit them through the environment. */
export function testServers(): TestServers {
  const found = process.env[VARIABLE]
  if (found === undefined) throw new Error(`${VARIABLE} is not set: run the tests with npm test`)
  return JSON.parse(found) as TestServers
}

export function publishTestServers(servers: TestServers): void {
  process.env[VARIABLE] = JSON.stringify(servers)
}

/** Whether the tests were told to do without servers: TEST_SERVERS=none. */
export function isWithoutServers(): boolean {
  return process.env['TEST_SERVERS'] === 'none'
}
