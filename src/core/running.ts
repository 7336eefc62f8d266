import { hostname } from 'node:os'

import type { LockHolder } from './error-messages.ts'

/** Whether the process that noted a run is seen to be alive; of another machine's nothing is seen. */
export function isRunningHere({ host, processId }: LockHolder): boolean {
  if (host !== hostname()) return false
  try {
    return process.kill(processId, 0)
  } catch (error) {
    // It is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
