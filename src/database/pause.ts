import type { Session } from './session.ts'

/**
 * Waits on the server, so that everything that ends a statement also ends this: cancelling the backend, or losing its
 * connection. A statement_timeout shortens the wait, but does not fail it.
 */
export async function pauseOnServer(session: Session, milliseconds: number): Promise<void> {
  const timeout = `extract(epoch from current_setting('statement_timeout')::interval)::double precision`
  await session.ask(`
    select to_json(true) as state
    from pg_sleep(least(${milliseconds / 1000}, nullif(${timeout}, 0) / 2))`)
}
