import { sqlStateOf } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { literal } from '../../core/sql.ts'

/** Where a sequence stands. The numbers are texts: they may be beyond what JavaScript counts exactly. */
export interface SequenceState {
  readonly oid: number
  readonly name: string
  /** Quoted, as the name is. */
  readonly owner: string
  /** The value given out last; null where none was, and where this role may not read it. */
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
  /** How often this session looked into the sequence: once for each value it drew. */
  readonly looks: number
}

/** What is to be done with a sequence after the rehearsal: nothing, or to be put where it stood. */
export type Correction = 'none' | 'rewind' | 'advance' | 'leave'

const stateJson = `json_build_object('oid', c.oid::bigint, 'name', format('%I.%I', n.nspname, c.relname),
  'owner', quote_ident(pg_get_userbyid(c.relowner)),
  'last', case when has_sequence_privilege(c.oid, 'select, usage') then pg_sequence_last_value(c.oid) end::text,
  'start', s.seqstart::text, 'step', s.seqincrement::text, 'cache', s.seqcache::text, 'cycles', s.seqcycle)`

const fromSequences = `from pg_catalog.pg_sequence s
  join pg_catalog.pg_class c on c.oid = s.seqrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace`

/** Reads where every sequence stands; in a transaction of its own, because reading one locks it. */
export async function readSequences(trx: Session): Promise<SequenceState[]> {
  return trx.ask<SequenceState[]>(
    `select coalesce(json_agg(${stateJson}), '[]') as state ${fromSequences} where n.nspname !~ '^pg_'`,
  )
}

/**
 * Watches which of these sequences this transaction uses.
 *
 * A value that was drawn stays drawn when the transaction is rolled back. The server counts for each session how often
 * it looked into a sequence, which tells afterwards whether anybody else drew from it.
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
 * Puts sequences where they stood before a rehearsal, where that cannot give a value out twice; says of the others
 * what happened to them. `rolledBack` runs in a transaction of its own: what it locks is free again, and setval stays.
 */
export async function putSequencesBack(
  used: readonly UsedSequence[],
  rolledBack: (run: (trx: Session) => Promise<string | null>) => Promise<string | null>,
): Promise<string[]> {
  const warnings: string[] = []
  for (const sequence of used) {
    // Where it stood in the rehearsal is not where it stands, where a migration restarted it: that is rolled back.
    const current = await rolledBack((trx) => lastValue(trx, sequence.before)).catch(() => null)
    const warning = await rolledBack((trx) => putBack(trx, sequence)).catch((error: unknown) => {
      // It belongs to somebody else, or somebody else has it in an open transaction.
      if (sqlStateOf(error) === undefined) throw error
      return advanced(sequence.before, current)
    })
    if (warning !== null) warnings.push(warning)
  }
  return warnings
}

async function putBack(trx: Session, used: UsedSequence): Promise<string | null> {
  const { before } = used
  const { name, owner, last, start } = before
  if (correctionFor(used, await lastValue(trx, before)) === 'none') return null
  // Nobody can draw from it now. LOCK takes no sequences; giving it to the owner that it has changes nothing.
  await trx.send(`alter sequence ${name} owner to ${owner}`)
  const current = await lastValue(trx, before)
  const correction = correctionFor(used, current)
  if (correction === 'rewind' || correction === 'advance')
    await trx.ask(`select to_json(setval(${literal(name)}, ${last ?? start}, ${last !== null})) as state`)
  if (correction === 'leave') return advanced(before, current)
  if (correction === 'advance')
    return `A migration sets the sequence ${name} back, which no rollback undoes; it was put to ${last ?? start} again.`
  return null
}

/**
 * What to do with a sequence whose last value is now `current`.
 *
 * It is rewound only where the values that are gone are exactly those that this session drew: a value that somebody
 * else drew in between would be given out twice. Where a migration moved it backwards, it goes forward again.
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
    `The sequence ${name} went from ${last ?? 'its start'} to ${current ?? 'an unknown value'}, which no rollback undoes: ` +
    'its next values leave a gap.'
  )
}
