import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** A process; its number alone may have been given to another one since. */
export interface ProcessIdentity {
  readonly processId: number
  /** What {@link startOf} said of it; null where the system does not say. */
  readonly start: string | null
}

/** Whether that very process runs; where the system does not tell its start, any process of its number counts. */
export async function isRunning({ processId, start }: ProcessIdentity): Promise<boolean> {
  if (!isAlive(processId)) return false
  const present = await startOf(processId)
  return start === null || present === null || present === start
}

/** When a process started, as a text that another process of the same number does not have; null where nobody says. */
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
    // Only the name may hold spaces and brackets: what follows it is the state, and 19 fields later the start in ticks
    // since the boot.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // It has ended, and its parent has not asked how: in a container without an init, nobody ever will.
    if (fields[0] === 'Z') return 'ended'
    return `${boot.trim()}/${fields[19]}`
  } catch {
    return null
  }
}

/** The same from ps, for systems without /proc. */
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
