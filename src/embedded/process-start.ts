import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** A process. Its ID alone is not enough, because the system may have reused it. */
export interface ProcessIdentity {
  readonly processId: number
  /** The result of {@link startOf}; null if the system does not report it. */
  readonly start: string | null
}

/** Whether this very process is running. If the system does not report start times, any process with its ID counts. */
export async function isRunning({ processId, start }: ProcessIdentity): Promise<boolean> {
  if (!isAlive(processId)) return false
  const present = await startOf(processId)
  return start === null || present === null || present === start
}

/** Returns the start time of a process as text, which no other process with the same ID has; null if unknown. */
export async function startOf(processId: number): Promise<string | null> {
  if (process.platform === 'linux') return startInProc(processId)
  return process.platform === 'win32' ? null : startFromPs(processId)
}

async function startInProc(processId: number): Promise<string | null> {
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${processId}/stat`, 'utf8'),
    ])
    // Only the name may contain spaces and brackets. It is followed by the state and, 19 fields later, by the start
    // time in ticks since boot.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // It has ended, but its parent has not collected its status. In a container without an init, that never happens.
    if (fields[0] === 'Z') return 'ended'
    return `${boot.trim()}/${fields[19]}`
  } catch {
    return null
  }
}

/** Returns the same from ps, for systems without /proc. */
export async function startFromPs(processId: number): Promise<string | null> {
  try {
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(processId)], { env })
    return stdout.trim() === '' ? null : stdout.trim()
  } catch {
    return null
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
