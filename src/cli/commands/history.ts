import { millisecondsText } from '../../core/time-text.ts'
import { yellow } from '../output/colour.ts'

import type { HistoryEntry, MigrationEntry, RunEntry } from '../../migrator/history.ts'
import { redact } from '../../sql-text/redact.ts'
import type { Context } from '../context.ts'
import { exitCode } from '../exit-code.ts'
import { collecting } from '../output/collecting.ts'
import { detailLines } from '../output/details.ts'
import { table } from '../output/table.ts'
import { wrap } from '../output/wrap.ts'

/** Shows all recorded runs and changes, oldest first. */
export async function run({ migrator, print }: Context, flags: { readonly verbose?: boolean }): Promise<number> {
  const warnings: string[] = []
  const entries = await (await migrator()).history({ logger: collecting(warnings) })
  const columns = flags.verbose === true ? [...shown, ...shownToo] : shown
  const head = columns.map(([title]) => title)
  const rows = entries.map((entry) => columns.map(([, text]) => text(entry)))
  print.line(entries.length === 0 ? 'Nothing is on record' : table(head, rows, ['When (UTC)', 'Time']))
  for (const warning of warnings) print.note(yellow(warning))
  print.document({ entries, warnings })
  return exitCode.done
}

type Column = readonly [title: string, text: (entry: HistoryEntry) => string | readonly string[]]

const shown: readonly Column[] = [
  ['When (UTC)', ({ at }) => (at === null ? '' : new Date(at).toISOString().slice(0, 19).replace('T', ' '))],
  ['What', what],
  ['Migration', (entry) => (entry.kind === 'run' ? '' : (entry.migration ?? ''))],
  ['pgvector', versions],
  ['Time', ({ milliseconds }) => (milliseconds === null ? '' : millisecondsText(milliseconds))],
  ['Role', ({ role }) => role ?? ''],
]

const shownToo: readonly Column[] = [
  ['Host', ({ run: by }) => by?.host ?? ''],
  ['Process', ({ run: by }) => (by === null ? '' : `${by.processId} (${by.user ?? 'unknown'}, run ${by.id})`)],
  ['Details', details],
]

function what(entry: HistoryEntry): string {
  switch (entry.kind) {
    case 'run':
      return `${entry.run.command} ${entry.run.outcome ?? 'not ended'}`
    case 'migration':
      return whatBecameOf(entry)
    case 'extension':
      return entry.event
  }
}

const DONE = { up: 'applied', down: 'rolled back' } as const

function whatBecameOf({ direction, outcome, batch, error }: MigrationEntry): string {
  if (outcome === 'done') return `${DONE[direction]}${batch === null ? '' : ` (batch ${batch})`}`
  const reason = error?.code ?? error?.sqlState ?? null
  return `${direction} ${outcome}${reason === null || outcome === 'interrupted' ? '' : ` (${reason})`}`
}

function details(entry: HistoryEntry): readonly string[] {
  if (entry.kind === 'extension') return inLines(detailLines(entry.details))
  const said = entry.error === null ? [] : [redact(entry.error.message.replaceAll(/\s+/g, ' '))]
  const left = entry.kind === 'run' && entry.left.length > 0 ? [`${leftOf(entry)}: ${entry.left.join(', ')}`] : []
  return inLines([...said, ...left])
}

// Without a terminal, each entry is one line, for other programs.
function inLines(texts: readonly string[]): readonly string[] {
  return process.stdout.isTTY ? texts.flatMap((text) => wrap(text, WIDEST)) : [texts.join('; ')]
}

const WIDEST = 54

// It is not known how far a run came that did not end.
function leftOf({ run: { outcome } }: RunEntry): string {
  return outcome === null ? 'to do' : 'not reached'
}

function versions(entry: HistoryEntry): string {
  if (entry.kind !== 'extension') return ''
  const { versionBefore, versionAfter } = entry
  return versionBefore === versionAfter
    ? (versionAfter ?? '')
    : `${versionBefore ?? 'none'} → ${versionAfter ?? 'none'}`
}
