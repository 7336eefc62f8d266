import { randomUUID } from 'node:crypto'
import { constants, rmSync } from 'node:fs'
import { chmod, link, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

import { PgvectorMigrationError } from '../core/errors.ts'
import { isRunning, startOf, type ProcessIdentity } from './process-start.ts'

// The directories that this process has open; a promise where one is being closed.
const ours = new Map<string, Promise<void> | null>()

/**
 * Claims a data directory for this process, because PGlite lets two processes open one and damage it.
 *
 * The claim is a file beside the directory with this process's id and start. A process that died leaves its claim behind;
 * whoever comes next sees that it is gone, even where its id was given to another one, and takes over. Returns the
 * function that gives the claim back once `closed` is over.
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
  // Some programs end with process.exit(), Knex's command line among them, and leave no time to close anything.
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

// Two Knex instances of one process damage a directory as two processes do. Knex replaces a connection that broke while
// it is still closing it: that one waits.
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
    // Left behind by another realm of this process.
    if (holder?.processId === self.processId && holder.start === self.start) return
    await assertNotHeld(directory, holder)
    await takeAway(file, directory)
  }
}

// Another user of the machine may neither read the database nor put it elsewhere.
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
  // Whose folder it is not may not change it.
  if ((found.mode & 0o077) !== 0) await chmod(directory, 0o700).catch(() => undefined)
}

async function assertNotHeld(directory: string, holder: ProcessIdentity | null): Promise<void> {
  // An earlier process that had this one's id is gone.
  if (holder === null || holder.processId === process.pid || !(await isRunning(holder))) return
  throw new PgvectorMigrationError('EMBEDDED_IN_USE', { directory, processId: holder.processId })
}

// By renaming it, which only one of several processes can do, and looking again at what was taken.
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

// An exclusive file follows no link that another user left in its place.
const OURS_ALONE = { flag: 'wx', mode: 0o600 } as const

// Windows has no such flag.
const READ_NO_LINK = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)

// With its content at once, so that nobody reads a claim that is not written yet.
async function create(file: string, { processId, start }: ProcessIdentity): Promise<boolean> {
  const content = start === null ? String(processId) : `${processId}\n${start}\n`
  const written = `${file}.${randomUUID()}`
  await writeFile(written, content, OURS_ALONE)
  try {
    await link(written, file)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    // A file system without hard links.
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
    // A link is no claim, and is taken away as one that cannot be read.
    if (['ENOENT', 'ELOOP'].includes(codeOf(error) ?? '')) return null
    throw error
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
