import { rmSync } from 'node:fs'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'

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
  await mkdir(directory, { recursive: true })
  const self = { processId: process.pid, start: await startOf(process.pid) }
  while (!(await create(file, self))) {
    const holder = await holderOf(file)
    // Left behind by another realm of this process.
    if (holder?.processId === self.processId && holder.start === self.start) return
    await assertNotHeld(directory, holder)
    await takeAway(file, directory)
  }
}

async function assertNotHeld(directory: string, holder: ProcessIdentity | null): Promise<void> {
  // An earlier process that had this one's id is gone.
  if (holder === null || holder.processId === process.pid || !(await isRunning(holder))) return
  throw new PgvectorMigrationError('EMBEDDED_IN_USE', { directory, processId: holder.processId })
}

// By renaming it, which only one of several processes can do, and looking again at what was taken.
async function takeAway(file: string, directory: string): Promise<void> {
  const taken = `${file}.${process.pid}`
  try {
    await rename(file, taken)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
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

// With its content at once, so that nobody reads a claim that is not written yet.
async function create(file: string, { processId, start }: ProcessIdentity): Promise<boolean> {
  const content = start === null ? String(processId) : `${processId}\n${start}\n`
  const written = `${file}.${processId}.new`
  await writeFile(written, content)
  try {
    await link(written, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    // A file system without hard links.
    return await createInPlace(file, content)
  } finally {
    await rm(written, { force: true })
  }
}

async function createInPlace(file: string, content: string): Promise<boolean> {
  try {
    await writeFile(file, content, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function holderOf(file: string): Promise<ProcessIdentity | null> {
  try {
    const [first, start = ''] = (await readFile(file, 'utf8')).split('\n')
    const processId = Number(first)
    if (!Number.isInteger(processId) || processId <= 0) return null
    return { processId, start: start === '' ? null : start }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
