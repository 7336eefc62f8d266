import type { ReplicatedTable, Replication } from '../columns/replication.ts'
import { findingsOf, listed, type Finding } from './finding.ts'

const { ok, warning, error: failure } = findingsOf('replication')

/** Reports which tables are replicated, in which order their columns have to change, and a replication that has stopped. */
export function replicationFindings({ published, subscribed, stopped, unused }: Replication): Finding[] {
  return [
    ...stopped.map((name) =>
      failure(
        `the subscription ${name} is enabled, and its apply worker is not running`,
        'If the server log says that a replicated column is missing, create it here: npx knex-pgvector up. ' +
          'The worker then continues by itself.',
      ),
    ),
    ...unused.map((name) =>
      warning(
        `no subscriber is connected to the replication slot ${name}, and the server keeps its WAL until one is`,
        'Run the doctor on the subscriber: a column that it lacks stops its apply worker. If there is no subscriber any ' +
          'more, drop the slot with pg_drop_replication_slot().',
      ),
    ),
    ...tables(
      published,
      'sent to subscribers',
      'Add a column on every subscriber before you add it here, and drop it here first.',
    ),
    ...tables(
      subscribed,
      'filled from a publisher',
      'Add a column here before you add it on the publisher, and drop it there first.',
    ),
  ]
}

function tables(replicated: readonly ReplicatedTable[], what: string, next: string): Finding[] {
  if (replicated.length === 0) return []
  const names = replicated.map(({ label, names: by }) => `${label} (${by.join(', ')})`)
  return [ok(`${what}: ${listed(names)}`, `${next} A subscriber needs pgvector for a vector column.`)]
}
