import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, statfs, watch, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const VARIABLE = 'KNEX_PGVECTOR_TEST_RUN'

/**
 * Makes the folder that the test files of this run share, and in which they make their temporary folders; its workers and
 * their processes inherit its name through the environment.
 */
export async function openRunFolder(): Promise<void> {
  const folder = await mkdtemp(join((await hasRoom(MEMORY)) ? MEMORY : tmpdir(), 'knex-pgvector-run-'))
  process.env[VARIABLE] = folder
  process.env['TMPDIR'] = folder
}

// Installing packages and copying databases takes half the time where files are in memory.
const MEMORY = '/dev/shm'
const ENOUGH_BYTES = 4 * 1024 ** 3

async function hasRoom(folder: string): Promise<boolean> {
  if (process.env['TMPDIR'] !== undefined) return false
  return statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize >= ENOUGH_BYTES,
    () => false,
  )
}

export async function removeRunFolder(): Promise<void> {
  const folder = process.env[VARIABLE]
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
}

/**
 * Makes something in a folder of its own, once for all test files: the first one that asks makes it, and the others wait.
 * Returns the folder.
 */
export async function onceARun(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const run = process.env[VARIABLE]
  if (run === undefined) throw new Error(`${VARIABLE} is not set: run the tests with npm test`)
  const folder = join(run, name)
  const outcome = `${folder}.made`
  // Only one process can make a folder.
  const isFirst = await mkdir(folder).then(
    () => true,
    () => false,
  )
  if (!isFirst) {
    await appears(run, outcome)
    return folder
  }
  try {
    await make(folder)
  } finally {
    // Where it failed, the others fail for want of its files, instead of waiting.
    await writeFile(outcome, '')
  }
  return folder
}

async function appears(folder: string, file: string): Promise<void> {
  const watching = new AbortController()
  const changes = watch(folder, { signal: watching.signal })[Symbol.asyncIterator]()
  // Asked for before the first look: the watch begins with it, and no change is missed in between.
  let change = changes.next()
  while (!existsSync(file)) {
    await change
    change = changes.next()
  }
  change.catch(() => undefined)
  watching.abort()
}
