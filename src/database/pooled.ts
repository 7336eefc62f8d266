import { backendOf } from './shared-session.ts'
import type { Session } from './session.ts'

/** Whether a pooler gives each transaction a free backend, so that nothing may be set for a session. */
export function isPooled(session: Session): Promise<boolean> {
  return session.hold(async ({ session: held, processId }) => processId !== (await backendOf(held)))
}
