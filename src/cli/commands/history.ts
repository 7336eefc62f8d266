import type { HistoryEntry } from '../../runner/history.ts'
import type { Context } from '../context.ts'
import { exitCode } from '../exit-code.ts'
import { table } from '../table.ts'

/** Shows everything that is on record, oldest first. */
export async function run({ migrator, print }: Context, flags: { readonly verbose?: boolean }): Promise<number> {
  const entries = await migrator.history()
  const columns = flags.verbose === true ? [...shown, ...shownToo] : shown
  const head = columns.map(([title]) => title)
  const rows = entries.map((entry) => columns.map(([, text]) => text(entry)))
  print.line(entries.length === 0 ? 'Nothing is on record' : table(head, rows))
  print.document({ entries })
  return exitCode.done
}

type Column = readonly [title: string, text: (entry: HistoryEntry) => string]

const shown: readonly Column[] = [
  ['When', ({ at }) => (at === null ? '' : `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}Z`)],
  ['What', what],
  ['Migration', (entry) => (entry.kind === 'run' ? '' : (entry.migration ?? ''))],
  ['pgvector', versions],
  ['Time', (entry) => (entry.kind === 'migration' || entry.milliseconds === null ? '' : `${entry.milliseconds} ms`)],
  ['Role', ({ role }) => role ?? ''],
]

const shownToo: readonly Column[] = [
  ['Host', ({ run: by }) => by?.host ?? ''],
  ['Process', ({ run: by }) => (by === null ? '' : `${by.processId} (${by.user ?? 'unknown'}, run ${by.id})`)],
  ['Details', (entry) => (entry.kind === 'extension' ? JSON.stringify(entry.details) : '')],
]

function what(entry: HistoryEntry): string {
  switch (entry.kind) {
    case 'run':
      return `${entry.run.command} ${entry.run.outcome ?? 'not ended'}`
    case 'migration':
      return `applied (batch ${entry.batch})`
    case 'extension':
      return entry.event
  }
}

function versions(entry: HistoryEntry): string {
  if (entry.kind !== 'extension') return ''
  const { versionBefore, versionAfter } = entry
  return versionBefore === versionAfter
    ? (versionAfter ?? '')
    : `${versionBefore ?? 'none'} → ${versionAfter ?? 'none'}`
}
