import type { ReplicatedTable, Replication } from '../../columns/replication.ts'
import { identifierOf } from '../../sql-text/names.ts'
import { firstWords } from '../../sql-text/split-statements.ts'
import { significantTokens } from '../../sql-text/tokens.ts'
import type { PlannedMigration } from './result.ts'

type Change = 'adds' | 'drops' | 'renames'

/**
 * Returns in which order to deploy migrations that change the columns of replicated tables. A row with a column that the
 * subscriber lacks stops its apply worker.
 */
export function replicationNotes(migrations: readonly PlannedMigration[], replication: Replication): string[] {
  const notes = migrations.flatMap(({ name, statements }) =>
    statements.flatMap(({ sql }) => [
      ...createdNotes(name, sql, replication),
      ...changesOf(sql).flatMap(({ change, schema, table }) => {
        const find = (tables: readonly ReplicatedTable[]): ReplicatedTable | undefined =>
          tables.find((each) => each.table === table && (schema === null || each.schema === schema))
        const published = find(replication.published)
        const subscribed = find(replication.subscribed)
        return [
          ...(published === undefined
            ? []
            : [`${columnOf(name, change, published)} is published: ${atPublisher[change]}`]),
          ...(subscribed === undefined
            ? []
            : [`${columnOf(name, change, subscribed)} is subscribed to: ${atSubscriber[change]}`]),
        ]
      }),
    ]),
  )
  return [...new Set(notes)]
}

function columnOf(migration: string, change: Change, { label, names }: ReplicatedTable): string {
  return `${migration} ${change} a column ${change === 'adds' ? 'to' : 'of'} ${label}, which (${names.join(', ')})`
}

const STOPS = 'A row with a column that the subscriber lacks stops its apply worker.'
const BOTH =
  'pause the writes, rename it on both servers, then go on. Or add the new column on the subscriber first, and drop the old one later.'

const atPublisher: Readonly<Record<Change, string>> = {
  adds: `apply it on every subscriber first, with pgvector enabled there if the column needs it. ${STOPS}`,
  drops: `apply it here first, then on the subscribers. ${STOPS}`,
  renames: `${BOTH} ${STOPS}`,
}

const atSubscriber: Readonly<Record<Change, string>> = {
  adds: `apply it here first, then on the publisher. ${STOPS}`,
  drops: `apply it on the publisher first, then here. ${STOPS}`,
  renames: `${BOTH} ${STOPS}`,
}

function createdNotes(name: string, sql: string, { publishesAll }: Replication): string[] {
  const [create, what] = firstWords(sql, 2)
  if (publishesAll.length === 0 || create !== 'create' || what !== 'table') return []
  return [
    `${name} creates a table, and ${publishesAll.join(', ')} publishes all tables: apply it on every subscriber first. ` +
      'A row of a table that the subscriber lacks stops its apply worker.',
  ]
}

const constraints: ReadonlySet<string> = new Set([
  'constraint',
  'check',
  'unique',
  'primary',
  'foreign',
  'not',
  'exclude',
])

interface ColumnChange {
  readonly change: Change
  /** Null where the statement names none. */
  readonly schema: string | null
  readonly table: string
}

/** Returns how an ALTER TABLE changes the columns of its table. */
function changesOf(sql: string): ColumnChange[] {
  const [alter, what] = firstWords(sql, 2)
  if (alter !== 'alter' || what !== 'table') return []
  const tokens = Array.from(significantTokens(sql)).slice(2)
  const words = tokens.map(({ kind, text }) => (kind === 'word' ? text.toLowerCase() : text))
  const start = (words[0] === 'if' ? 2 : 0) + (words[words[0] === 'if' ? 2 : 0] === 'only' ? 1 : 0)
  const first = tokens[start]
  if (first === undefined) return []
  const isQualified = words[start + 1] === '.'
  const last = isQualified ? tokens[start + 2] : first
  if (last === undefined) return []
  const place = { schema: isQualified ? identifierOf(first) : null, table: identifierOf(last) }
  const changes = new Set<Change>()
  let depth = 0
  let begins = true
  for (const [offset, word] of words.slice(start + (isQualified ? 3 : 1)).entries()) {
    const next = words[start + (isQualified ? 3 : 1) + offset + 1] ?? ''
    if (begins && !constraints.has(next)) {
      if (word === 'add') changes.add('adds')
      if (word === 'drop') changes.add('drops')
      if (word === 'rename' && next !== 'to') changes.add('renames')
    }
    if (word === '(') depth++
    if (word === ')') depth--
    begins = word === ',' && depth === 0
  }
  return [...changes].map((change) => ({ change, ...place }))
}
