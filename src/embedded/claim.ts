import { randomUUID } from 'node:crypto'
import { constants, rmSync } from 'node:fs'
import { chmod, link, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

import { PgvectorMigrationError } from '../core/errors.ts'
import { isRunning, startOf, type ProcessIdentity } from './process-start.ts'

// The directories that this process has open, with a promise while one is being closed.
const ours = new Map<string, Promise<void> | null>()

/**
 * Claims a data directory for this process, because PGlite lets two processes open the same one and damage it.
 *
 * The claim is a file next to the directory with the ID and start time of the process. A process that ends without
 * closing leaves its claim behind. The next process detects this, even if the ID was reused, and takes over. Returns a
 * function that releases the claim after `closed`.
 */
export async function claimDirectory(dataDir: string): Promise<(closed: Promise<void>) => Promise<void>> {
  const directory = resolve(dataDir)
  const file = `${directory}.pid`
  await claimHere(directory)
  try {
    await claimFile(directory, file)
  } catch (error) {
    ours.delete(directory)
    throw error
  }
  // Some programs, such as Knex's command line, end with process.exit() and leave no time to close anything.
  const forget = (): void => rmSync(file, { force: true })
  process.once('exit', forget)
  return (closed) => {
    const released = closed
      .finally(() => rm(file, { force: true }))
      .finally(() => {
        process.off('exit', forget)
        ours.delete(directory)
      })
    ours.set(directory, released)
    return released
  }
}

// Two Knex instances of one process damage a directory as two processes do. Knex opens a replacement for a broken
// connection while it is still closing that connection, so the replacement waits.
async function claimHere(directory: string): Promise<void> {
  for (let holder = ours.get(directory); holder !== undefined; holder = ours.get(directory)) {
    if (holder === null) throw new PgvectorMigrationError('EMBEDDED_IN_USE', { directory, processId: process.pid })
    await holder.catch(() => undefined)
  }
  ours.set(directory, null)
}

async function claimFile(directory: string, file: string): Promise<void> {
  await makePrivate(directory)
  const self = { processId: process.pid, start: await startOf(process.pid) }
  while (!(await create(file, self))) {
    const holder = await holderOf(file)
    // Another realm of this process left it behind.
    if (holder?.processId === self.processId && holder.start === self.start) return
    await assertNotHeld(directory, holder)
    await takeAway(file, directory)
  }
}

// Other users of the machine must not be able to read or move the database.
async function makePrivate(directory: string): Promise<void> {
  await mkdir(dirname(directory), { recursive: true })
  await mkdir(directory, { mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error
  })
  const found = await lstat(directory)
  if (!found.isDirectory()) {
    const what = found.isSymbolicLink() ? 'is a symbolic link, and must be the folder itself' : 'is no folder'
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: [`dataDir: ${what}: '${directory}'`] })
  }
  // If this user does not own the folder, the mode cannot be changed.
  if ((found.mode & 0o077) !== 0) await chmod(directory, 0o700).catch(() => undefined)
}

async function assertNotHeld(directory: string, holder: ProcessIdentity | null): Promise<void> {
  // An earlier process with the same ID has ended.
  if (holder === null || holder.processId === process.pid || !(await isRunning(holder))) return
  throw new PgvectorMigrationError('EMBEDDED_IN_USE', { directory, processId: holder.processId })
}

// Renames it, which only one of several processes can do, and then checks again what it has taken.
async function takeAway(file: string, directory: string): Promise<void> {
  const taken = `${file}.${randomUUID()}`
  try {
    await rename(file, taken)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  try {
    await assertNotHeld(directory, await holderOf(taken))
  } catch (error) {
    await rename(taken, file)
    throw error
  }
  await rm(taken, { force: true })
}

// The exclusive flag does not follow a link that another user left in its place.
const OURS_ALONE = { flag: 'wx', mode: 0o600 } as const

// Windows has no such flag.
const READ_NO_LINK = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)

// Creates it with its content at once, so that no process reads an incomplete claim.
async function create(file: string, { processId, start }: ProcessIdentity): Promise<boolean> {
  const content = start === null ? String(processId) : `${processId}\n${start}\n`
  const written = `${file}.${randomUUID()}`
  await writeFile(written, content, OURS_ALONE)
  try {
    await link(written, file)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    // The file system has no hard links.
    return await createInPlace(file, content)
  } finally {
    await rm(written, { force: true })
  }
}

async function createInPlace(file: string, content: string): Promise<boolean> {
  try {
    await writeFile(file, content, OURS_ALONE)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function holderOf(file: string): Promise<ProcessIdentity | null> {
  try {
    const [first, start = ''] = (await readFile(file, { encoding: 'utf8', flag: READ_NO_LINK })).split('\n')
    const processId = Number(first)
    if (!Number.isInteger(processId) || processId <= 0) return null
    return { processId, start: start === '' ? null : start }
  } catch (error) {
    // A link is not a claim, and is removed like an unreadable one.
    if (['ENOENT', 'ELOOP'].includes(codeOf(error) ?? '')) return null
    throw error
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
