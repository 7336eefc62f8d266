import type { Logger } from '../core/options.ts'
import { PgvectorMigrationError } from '../core/errors.ts'
import { identifier, literal, qualified } from '../core/sql.ts'
import { withHeldSession, type HeldSession } from '../database/held-session.ts'
import { sendWithLockRetry } from '../database/lock-retry.ts'
import type { Session } from '../database/session.ts'
import { sendConcurrently } from '../indexes/build/concurrently.ts'
import { waitingReport } from '../indexes/build/report.ts'
import { unwatched } from '../indexes/build/watch.ts'
import { isValidSql } from '../indexes/look/validity.ts'
import { keyColumns } from './key-sql.ts'
import type { ParsedSetUpOptions } from './set-up-options.ts'
import type { InStepState } from './state.ts'

/** A table or a partition whose rows need the index. */
interface Indexed {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly isPartitioned: boolean
  /** Indexes on it with the same definition, or whose name is the wanted one. */
  readonly hasIndex: boolean
  /** An invalid index that an earlier attempt left, quoted. */
  readonly leftover: string | null
}

/**
 * Builds the index of rows without a vector, without blocking writes. On a partitioned table, the partitions get theirs
 * first, and the index of the whole table then adopts them.
 *
 * In a transaction, PostgreSQL can only build it in a way that blocks writes until the transaction ends.
 */
export async function buildMissingIndex(
  session: Session,
  state: InStepState,
  needs: ParsedSetUpOptions,
  logger: Logger,
): Promise<void> {
  if (session.isInTransaction) {
    return sendWithLockRetry(session, wholeOf(state), createSql(state, wholeOf(state), false), needs, {
      waiting: () => undefined,
    })
  }
  await withHeldSession(
    session,
    () => undefined,
    async (held) => {
      const all = await readIndexed(held, state)
      for (const each of all.filter(({ isPartitioned }) => !isPartitioned))
        await build(held, state, each, needs, logger)
      for (const each of all.filter(({ isPartitioned, hasIndex }) => isPartitioned && !hasIndex)) {
        await held.withSettings({ lock_timeout: String(needs.lockTimeout) }, () =>
          sendWithLockRetry(held, each, createSql(state, each, false), needs, { waiting: () => undefined }),
        )
      }
    },
  )
}

function wholeOf({ found, target }: InStepState): Pick<Indexed, 'oid' | 'schema' | 'name'> {
  const table = found.facts.table
  return { oid: table?.oid ?? 0, schema: target.schema, name: table?.name ?? target.column.table }
}

async function build(
  session: HeldSession,
  state: InStepState,
  { hasIndex, leftover, ...table }: Indexed,
  needs: ParsedSetUpOptions,
  logger: Logger,
): Promise<void> {
  if (hasIndex) return
  const report = { waiting: waitingReport(identifier(state.names.missingIndex), logger) }
  const statements = [
    ...(leftover === null ? [] : [`drop index concurrently if exists ${leftover}`]),
    createSql(state, table, true),
  ]
  for (const statement of statements) {
    const outcome = await sendConcurrently(
      { session, watch: unwatched, needs, report },
      { table: table.oid, statement, waitsFor: statement.startsWith('drop') ? 'everyone' : 'writers' },
    )
    if ('result' in outcome) continue
    if (outcome.stopped === null) throw outcome.error
    const blockers = outcome.stopped.by === 'wait' ? outcome.stopped.blockers : []
    const details = { table: qualified(table.schema, table.name), attempts: 1, milliseconds: needs.wait, blockers }
    throw new PgvectorMigrationError('TABLE_BUSY', details, { cause: outcome.error })
  }
}

// Only the index of the whole table has a name of ours. Those of partitions get one from PostgreSQL.
function createSql(state: InStepState, table: Pick<Indexed, 'oid' | 'schema' | 'name'>, concurrently: boolean): string {
  const { target, names } = state
  const alias = identifier(table.name)
  const isWhole = table.oid === state.found.facts.table?.oid
  const name = isWhole ? `if not exists ${identifier(names.missingIndex)} ` : ''
  const columns = keyColumns(target.key, alias).map((each) => each.slice(alias.length + 1))
  return `create index ${concurrently ? 'concurrently ' : ''}${name}on ${qualified(table.schema, table.name)} (${columns.join(', ')}) where ${identifier(target.column.name)} is null`
}

// The parts of a partitioned table come before it.
function readIndexed(session: Session, state: InStepState): Promise<readonly Indexed[]> {
  const { oid } = wholeOf(state)
  const { key, column } = state.target
  const columns = key.map(({ name }) => literal(name)).join(', ')
  return session.ask(`
    with part as (
      select c.oid, c.relname, c.relkind, n.nspname, tree.level
      from (select ${oid}::oid as relid, 0 as level union select relid, level from pg_catalog.pg_partition_tree(${oid})) tree
      join pg_catalog.pg_class c on c.oid = tree.relid and c.relkind in ('r', 'p')
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    ),
    same as (
      select x.indrelid, format('%I.%I', part.nspname, i.relname) as name, ${isValidSql('x')} as valid
      from part join pg_catalog.pg_index x on x.indrelid = part.oid
      join pg_catalog.pg_class i on i.oid = x.indexrelid
      where pg_get_expr(x.indpred, x.indrelid) = format('(%I IS NULL)', ${literal(column.name)})
        and array[${columns}]::name[] = array(
          select a.attname from unnest(x.indkey::int2[]) with ordinality as k (number, place)
          join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.number order by k.place)
        and (part.oid <> ${oid} or i.relname = ${literal(state.names.missingIndex)})
    )
    select coalesce(json_agg(json_build_object('oid', part.oid::bigint, 'schema', part.nspname, 'name', part.relname,
      'isPartitioned', part.relkind = 'p',
      'hasIndex', exists (select from same where same.indrelid = part.oid and same.valid),
      'leftover', (select same.name from same where same.indrelid = part.oid and not same.valid limit 1)
    ) order by part.level desc, part.oid), '[]') as state from part`)
}
