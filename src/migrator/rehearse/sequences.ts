import { sqlStateOf } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { literal } from '../../core/sql.ts'

/** The state of a sequence. The numbers are text, because they may exceed what JavaScript represents exactly. */
export interface SequenceState {
  readonly oid: number
  readonly name: string
  /** Quoted, like the name. */
  readonly owner: string
  /** The last value returned; null if there was none, or if this role may not read it. */
  readonly last: string | null
  readonly start: string
  readonly step: string
  readonly cache: string
  readonly cycles: boolean
}

/** A sequence that a rehearsal used, and how. */
export interface UsedSequence {
  readonly before: SequenceState
  /** The last value when the rehearsal ended. */
  readonly left: string | null
  /** How often this session accessed the sequence: once for each value it drew. */
  readonly looks: number
}

/** What to do with a sequence after the rehearsal, if anything. */
export type Correction = 'none' | 'rewind' | 'advance' | 'leave'

const stateJson = `json_build_object('oid', c.oid::bigint, 'name', format('%I.%I', n.nspname, c.relname),
  'owner', quote_ident(pg_get_userbyid(c.relowner)),
  'last', case when has_sequence_privilege(c.oid, 'select, usage') then pg_sequence_last_value(c.oid) end::text,
  'start', s.seqstart::text, 'step', s.seqincrement::text, 'cache', s.seqcache::text, 'cycles', s.seqcycle)`

const fromSequences = `from pg_catalog.pg_sequence s
  join pg_catalog.pg_class c on c.oid = s.seqrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace`

/** Reads the state of every sequence, in its own transaction, because reading a sequence locks it. */
export async function readSequences(trx: Session): Promise<SequenceState[]> {
  return trx.ask<SequenceState[]>(
    `select coalesce(json_agg(${stateJson}), '[]') as state ${fromSequences} where n.nspname !~ '^pg_'`,
  )
}

/**
 * Watches which of these sequences this transaction uses.
 *
 * A value stays consumed after a rollback. The server counts how often each session accessed a sequence. This shows
 * afterwards whether another session drew values too.
 */
export async function usedSequences(
  trx: Session,
  before: readonly SequenceState[],
): Promise<() => Promise<UsedSequence[]>> {
  const looked = await trx.ask<
    Readonly<Record<string, number>>
  >(`select coalesce(json_object_agg(seqrelid::bigint, pg_stat_get_xact_blocks_fetched(seqrelid)), '{}') as state
    from pg_catalog.pg_sequence`)
  return async () => {
    const used = await trx.ask<
      readonly { oid: number; looks: number; left: string | null }[]
    >(`with used as materialized (
        -- also those that this transaction has dropped
        select known.oid, pg_stat_get_xact_blocks_fetched(known.oid) as looks
        from unnest('{${before.map(({ oid }) => oid).join(', ')}}'::oid[]) as known (oid)
        where exists (
          select from pg_catalog.pg_locks l
          where l.relation = known.oid and l.pid = pg_backend_pid() and l.mode = 'RowExclusiveLock' and l.granted
        )
      )
      select coalesce(json_agg(json_build_object('oid', oid::bigint, 'looks', looks, 'left',
        case when has_sequence_privilege(s.seqrelid, 'select, usage') then pg_sequence_last_value(s.seqrelid) end::text)),
        '[]') as state
      from used left join pg_catalog.pg_sequence s on s.seqrelid = used.oid`)
    return used.flatMap(({ oid, looks, left }) => {
      const sequence = before.find((each) => each.oid === oid)
      return sequence === undefined ? [] : [{ before: sequence, left, looks: looks - (looked[String(oid)] ?? 0) }]
    })
  }
}

/**
 * Restores sequences to their state before a rehearsal, if no value can then be returned twice. It returns a warning
 * for each of the others. `rolledBack` runs in its own transaction, which releases its locks while setval persists.
 */
export async function restoreSequences(
  used: readonly UsedSequence[],
  rolledBack: (run: (trx: Session) => Promise<string | null>) => Promise<string | null>,
): Promise<string[]> {
  const warnings: string[] = []
  for (const sequence of used) {
    // If a migration restarted the sequence, that was rolled back, so its state differs from what the rehearsal saw.
    const current = await rolledBack((trx) => lastValue(trx, sequence.before)).catch(() => null)
    const warning = await rolledBack((trx) => restoreSequence(trx, sequence)).catch((error: unknown) => {
      // It belongs to another role, or another session uses it in an open transaction.
      if (sqlStateOf(error) === undefined) throw error
      return advanced(sequence.before, current)
    })
    if (warning !== null) warnings.push(warning)
  }
  return warnings
}

async function restoreSequence(trx: Session, used: UsedSequence): Promise<string | null> {
  const { before } = used
  const { name, owner, last, start } = before
  if (correctionFor(used, await lastValue(trx, before)) === 'none') return null
  // No session can draw from it now. LOCK does not work on sequences, but setting the owner to the current owner locks
  // it and changes nothing.
  await trx.send(`alter sequence ${name} owner to ${owner}`)
  const current = await lastValue(trx, before)
  const correction = correctionFor(used, current)
  if (correction === 'rewind' || correction === 'advance')
    await trx.ask(`select to_json(setval(${literal(name)}, ${last ?? start}, ${last !== null})) as state`)
  if (correction === 'leave') return advanced(before, current)
  if (correction === 'advance')
    return `A migration sets the sequence ${name} back, which a rollback does not reverse; it was set to ${last ?? start} again.`
  return null
}

/**
 * Decides what to do with a sequence whose last value is now `current`.
 *
 * It is rewound only if the missing values are exactly those that this session drew. Otherwise, a value that another
 * session drew in between would be returned twice. If a migration moved it backwards, it is moved forward again.
 */
export function correctionFor({ before, left, looks }: UsedSequence, current: string | null): Correction {
  const step = BigInt(before.step)
  const next = (last: string | null): bigint => (last === null ? BigInt(before.start) : BigInt(last) + step)
  const moved = next(current) - next(before.last)
  if (moved === 0n) return 'none'
  // With a cache, a session keeps values that it has drawn ahead.
  if (before.cache === '1' && current === left && moved === step * BigInt(looks)) return 'rewind'
  return moved > 0n !== step > 0n && !before.cycles ? 'advance' : 'leave'
}

async function lastValue(trx: Session, { oid }: SequenceState): Promise<string | null> {
  const { last } = await trx.ask<{ last: string | null }>(
    `select json_build_object('last', pg_sequence_last_value(${oid})::text) as state`,
  )
  return last
}

function advanced({ name, last }: SequenceState, current: string | null): string {
  return (
    `The sequence ${name} went from ${last ?? 'its start'} to ${current ?? 'an unknown value'}, which a rollback does not reverse: ` +
    'its next values leave a gap.'
  )
}
