import { hostname } from 'node:os'

import type { LockHolder } from './error-messages.ts'

/** Whether the process that recorded a run is known to be alive. Processes of another machine cannot be checked. */
export function isRunningHere({ host, processId }: LockHolder): boolean {
  if (host !== hostname()) return false
  try {
    return process.kill(processId, 0)
  } catch (error) {
    // The process exists and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
