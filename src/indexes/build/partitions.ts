import { PgvectorMigrationError } from '../../core/errors.ts'
import { identifier, qualified } from '../../core/sql.ts'
import { isRace } from '../../database/sqlstate.ts'
import { sendWithLockRetry } from '../../database/lock-retry.ts'
import { workError } from './errors.ts'
import type { BuildJob } from './job.ts'
import { noteIndex } from './note.ts'
import type { IndexFacts, TableFacts } from '../look/facts.ts'
import { readCatalogFacts } from '../look/read-facts.ts'
import { attachSql, indexOfPartition } from '../partition-index.ts'
import type { IndexPlan } from '../decide/plan.ts'
import type { EnsuredIndex } from './ensured-index.ts'
import { indexDefinition, type VectorIndex } from '../vector-index.ts'

type PartitionsPlan = Extract<IndexPlan, { readonly action: 'build partitions' }>

// Partitions may be created while the others are built. PostgreSQL gives them their index, so a second look is rare.
const MOST_LOOKS = 5

/**
 * Gives a partitioned table its index, one partition at a time without blocking writes, and then attaches the parts.
 * PostgreSQL itself can only build it in one step, which blocks all writes. Existing indexes are used.
 *
 * @param ensurePart Makes sure that one partition, which may be partitioned itself, has its index.
 */
export async function buildPartitions(
  job: BuildJob,
  index: VectorIndex,
  { table, existing }: PartitionsPlan,
  facts: IndexFacts,
  ensurePart: (part: VectorIndex) => Promise<EnsuredIndex>,
): Promise<EnsuredIndex> {
  const name = existing?.name ?? index.name
  if (existing === null) await createWhole(job, index, table, createOnly(index, table, facts))
  job.state.hasBegun = true
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const seen = looks === 0 && existing !== null ? facts : await readCatalogFacts(job.session, index)
    const whole = seen.indexes.find((each) => each.name === name)
    if (whole?.isValid === true) {
      return { status: 'built', facts: seen, name, parent: whole.parent, rows: facts.rows, settings: null }
    }
    const attached: Attachment[] = []
    for (const partition of seen.table?.partitions ?? []) {
      const part = await ensurePart(indexOfPartition(index, partition))
      if (part.status === 'postponed' || part.name === null) continue
      const attachment = {
        table: part.facts.table ?? table,
        statement: attachSql(qualified(table.schema, name), qualified(partition.schema, part.name)),
      }
      if (part.parent === null) await brief(job, index, attachment.table, attachment.statement)
      else attached.push(attachment)
    }
    // All of them were already attached, and one of them may have been repaired.
    const [again] = attached.length === seen.table?.partitions.length ? attached : []
    if (again !== undefined) await brief(job, index, again.table, again.statement)
  }
  const problem = 'not every partition has a valid index of this definition that is attached or can be attached'
  throw new PgvectorMigrationError(
    'INDEX_BUILD_FAILED',
    { index: identifier(index.name), problem },
    { hint: OR_UPDATE },
  )
}

// Older releases do not check the parent index again when a part is attached a second time.
const OR_UPDATE =
  'Run the same command again. If every partition has a valid attached index, first update PostgreSQL to its newest minor ' +
  'release, or drop the index and build it again.'

/** Creates the index of the partitioned table, which is logged as ours before it exists. */
async function createWhole(job: BuildJob, index: VectorIndex, table: TableFacts, statement: string): Promise<void> {
  await noteIndex(job.session, job, index, table, 'index begun')
  let isMade = false
  try {
    isMade = await brief(job, index, table, statement)
  } finally {
    // Another session may have created an index of this name, which is not ours.
    if (!isMade) await noteIndex(job.session, job, index, table, 'index dropped')
  }
}

interface Attachment {
  readonly table: TableFacts
  readonly statement: string
}

/** Sends a statement whose lock briefly blocks writes. Returns false if another session was faster. */
async function brief(job: BuildJob, index: VectorIndex, table: TableFacts, statement: string): Promise<boolean> {
  const { session, needs, report } = job
  const started = Date.now()
  try {
    await session.withSettings({ lock_timeout: String(needs.lockTimeout), statement_timeout: '0' }, () =>
      sendWithLockRetry(session, table, statement, needs, report),
    )
    return true
  } catch (error) {
    if (isRace(error)) return false
    throw workError({ error, stopped: null }, { statement: 'CREATE INDEX', index: index.name, table, started })
  }
}

function createOnly(index: VectorIndex, table: TableFacts, { extension }: IndexFacts): string {
  const column = { ...index.column, schema: table.schema, table: table.name }
  const definition = indexDefinition({ ...index, column }, extension?.schema ?? 'public')
  return `create index ${identifier(index.name)} ${definition.replace(/^on /, 'on only ')}`
}
