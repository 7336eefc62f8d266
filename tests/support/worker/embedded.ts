import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { compileFunction, constants } from 'node:vm'

import type * as pgliteModule from '@electric-sql/pglite'

import { dropEverything, fingerprint } from '../clean-database.ts'
import { emptyDatabase } from '../embedded-dump.ts'

/** The embedded database that tests share one after the other, because starting one takes longer than most tests. */
export interface SharedEmbedded {
  readonly pglite: pgliteModule.PGlite
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

async function start(): Promise<SharedEmbedded> {
  const { PGlite } = loadPGlite()
  const { vector } = await import('@electric-sql/pglite-pgvector')
  const pglite = new PGlite({ extensions: { vector }, loadDataDir: await emptyDatabase() })
  // A session cannot unload a library, and its settings would tell the first test from the others.
  await pglite.exec(`load '$libdir/vector'`)
  const { rows } = await pglite.query<{ version: string }>(
    `select default_version as version from pg_available_extensions where name = 'vector'`,
  )
  return { pglite, pgvector: rows[0]?.version ?? '', fingerprint: await fingerprintOf(pglite) }
}

/** PGlite with timers that let the worker end: PostgreSQL writes its statistics by one. */
function loadPGlite(): typeof pgliteModule {
  const file = require.resolve('@electric-sql/pglite')
  const loaded = { exports: {} }
  const given = {
    module: loaded,
    exports: loaded.exports,
    require: createRequire(file),
    __dirname: dirname(file),
    __filename: file,
    setTimeout: (task: () => void, milliseconds: number) => setTimeout(task, milliseconds).unref(),
  }
  const load = compileFunction(readFileSync(file, 'utf8'), Object.keys(given), {
    filename: file,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  load(...Object.values(given))
  return loaded.exports as typeof pgliteModule
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

async function fingerprintOf(pglite: pgliteModule.PGlite): Promise<ReadonlySet<string>> {
  const { rows } = await pglite.query<{ format: string }>(fingerprint)
  return new Set(rows.map(({ format }) => format))
}
