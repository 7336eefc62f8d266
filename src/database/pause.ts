import type { Session } from './session.ts'

/**
 * Waits on the server, so that whatever ends a statement ends this too: the cancellation of the backend, and the loss of
 * its connection. A statement_timeout makes it shorter, and does not end it.
 */
export async function pauseOnServer(session: Session, milliseconds: number): Promise<void> {
  const timeout = `extract(epoch from current_setting('statement_timeout')::interval)::double precision`
  await session.ask(`
    select to_json(true) as state
    from pg_sleep(least(${milliseconds / 1000}, nullif(${timeout}, 0) / 2))`)
}
