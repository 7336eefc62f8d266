import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'

import { dropEverything, fingerprint } from './clean-database.ts'
import { emptyDatabase } from './embedded-dump.ts'

/** The embedded database that the tests of a file share, because starting one takes longer than most tests. */
export interface SharedEmbedded {
  readonly pglite: PGlite
  /** The version that `create extension vector` installs. */
  readonly pgvector: string
  /** What it was like when it was new. */
  readonly fingerprint: ReadonlySet<string>
}

let shared: SharedEmbedded | undefined

/** The shared database, as empty as a new one; the library of pgvector is loaded, as it is after its first use. */
export async function takeEmbedded(): Promise<SharedEmbedded> {
  const taken = shared ?? (await start())
  // A test that is interrupted does not give it back, and the next one gets a new one.
  shared = undefined
  return taken
}

/**
 * Cleans the database for the next test, once the connections of this one are closed.
 *
 * @throws {Error} naming what the test left behind that cannot be dropped; the next test gets a new database.
 */
export async function returnEmbedded(taken: SharedEmbedded): Promise<void> {
  try {
    await clean(taken)
    shared = taken
  } catch (error) {
    await taken.pglite.close().catch(() => undefined)
    throw error
  }
}

/** Closes the shared database; for afterAll. */
export async function closeEmbedded(): Promise<void> {
  const closing = shared
  shared = undefined
  await closing?.pglite.close()
}

async function start(): Promise<SharedEmbedded> {
  const pglite = new PGlite({ extensions: { vector }, loadDataDir: await emptyDatabase() })
  // A session cannot unload a library, and its settings would tell the first test from the others.
  await pglite.exec(`load '$libdir/vector'`)
  const { rows } = await pglite.query<{ version: string }>(
    `select default_version as version from pg_available_extensions where name = 'vector'`,
  )
  return { pglite, pgvector: rows[0]?.version ?? '', fingerprint: await fingerprintOf(pglite) }
}

async function clean({ pglite, fingerprint: before }: SharedEmbedded): Promise<void> {
  // Each on its own: `discard all` may not run in a transaction, which several statements in one message are.
  for (const statement of ['rollback', 'discard all', dropEverything]) await pglite.exec(statement)
  const after = await fingerprintOf(pglite)
  const problems = [
    ...[...after].filter((line) => !before.has(line)).map((line) => `left behind: ${line}`),
    ...[...before].filter((line) => !after.has(line)).map((line) => `removed: ${line}`),
  ]
  if (problems.length > 0)
    throw new Error(`This test changed what its database cannot restore:\n${problems.join('\n')}`)
}

async function fingerprintOf(pglite: PGlite): Promise<ReadonlySet<string>> {
  const { rows } = await pglite.query<{ format: string }>(fingerprint)
  return new Set(rows.map(({ format }) => format))
}
