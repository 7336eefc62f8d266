import { PgvectorMigrationError } from '../core/errors.ts'
import type { Session } from '../database/session.ts'
import type { ChangeState } from './change-state.ts'
import { clock } from './clock.ts'
import { readCatalogFacts } from './facts.ts'
import { CACHE_MILLISECONDS } from './active-pair.ts'

/**
 * Waits until no search can use a column any more: longer than searches keep what they read from the registry, and as long
 * as it takes to see that its indexes are not scanned.
 *
 * @throws {PgvectorMigrationError} MODEL_CHANGE_REFUSED if a search still used one.
 */
export async function awaitUnused(
  session: Session,
  { source, label, registry }: ChangeState,
  column: string,
  { quiet, signal }: { readonly quiet: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  // Searches that read the old pair just before the switch end within this time, with the call of their model.
  const age = registry.row?.milliseconds ?? 0
  await pause(label, Math.max(0, CACHE_MILLISECONDS - age), signal)
  const scansOf = async (): Promise<ReadonlyMap<string, number>> => {
    const { indexes } = await readCatalogFacts(session, source.column)
    return new Map(indexes.filter((each) => each.column === column).map(({ name, scans }) => [name, scans]))
  }
  const before = await scansOf()
  await pause(label, quiet, signal)
  const after = await scansOf()
  const problems = [...after]
    .map(([name, scans]) => ({ name, more: scans - (before.get(name) ?? 0) }))
    .filter(({ more }) => more > 0)
    .map(
      ({ name, more }) =>
        `searches still use the index ${name}: ${more} scans in ${Math.round(quiet / 1000)} s, so an older release or another query searches the column ${column}`,
    )
  if (problems.length > 0) throw new PgvectorMigrationError('MODEL_CHANGE_REFUSED', { embedding: label, problems })
}

async function pause(label: string, milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await clock.sleep(milliseconds, signal).catch(() => undefined)
  if (signal?.aborted !== true) return
  throw new PgvectorMigrationError('MODEL_CHANGE_REFUSED', { embedding: label, problems: ['it was stopped'] })
}
