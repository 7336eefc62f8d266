import { literal } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'

interface SequenceValue {
  readonly name: string
  /** As text, because it may exceed what JavaScript represents exactly. */
  readonly value: string
  readonly isUsed: boolean
}

/** Reads the values of all sequences, and returns how to restore them. A rollback does not. */
export async function rememberSequences(session: Session): Promise<() => Promise<void>> {
  const before = await readValues(session)
  return async () => {
    const after = new Map((await readValues(session)).map((sequence) => [sequence.name, sequence]))
    const changed = before.filter(({ name, value, isUsed }) => {
      const now = after.get(name)
      return now !== undefined && (now.value !== value || now.isUsed !== isUsed)
    })
    await session.send(
      changed.map(({ name, value, isUsed }) => `select pg_catalog.setval(${literal(name)}, ${value}, ${isUsed})`),
    )
  }
}

async function readValues(session: Session): Promise<SequenceValue[]> {
  return session.ask(`select coalesce(json_agg(json_build_object(
      'name', format('%I.%I', schemaname, sequencename), 'value', coalesce(last_value, start_value)::text,
      'isUsed', last_value is not null
    )), '[]') as state
    from pg_catalog.pg_sequences`)
}
