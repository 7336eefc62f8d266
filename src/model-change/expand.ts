import { PgvectorMigrationError } from '../core/errors.ts'
import { sendable } from '../core/sql.ts'
import { addVectorColumn } from '../columns/add.ts'
import { loggerFrom } from '../database/logger.ts'
import type { Session } from '../database/session.ts'
import { isRace } from '../database/sqlstate.ts'
import { assertPossible, setUpInStep } from '../embeddings/set-up.ts'
import type { ParsedStepOptions } from './change-options.ts'
import { readChange, type ChangeState, type DeclaredChange } from './change-state.ts'
import { publicationWarnings } from './publications.ts'
import { createRegistrySql, registerSql, registryOf, updateSql } from './registry.ts'

/**
 * Registers the change, and adds the new column with what keeps it in step. The old column stays the one that is searched.
 */
export async function expand(
  session: Session,
  state: ChangeState,
  { lockTimeout, wait, logger, log }: ParsedStepOptions,
): Promise<void> {
  const { source, target } = state
  if (source.column.name === target.column.name) {
    const problems = ['the new model needs a column of its own']
    throw new PgvectorMigrationError('MODEL_CHANGE_REFUSED', { embedding: state.label, problems })
  }
  // Refused before anything is written.
  await assertPossible(session, source)
  for (const warning of await publicationWarnings(session, state, state.registry.facts))
    loggerFrom(logger).warn(warning)
  await register(session, state)
  const options = { lockTimeout, wait, logger, log }
  await addVectorColumn(session.knex, target.column, options)
  await setUpInStep(session.knex, target, options)
}

async function register(session: Session, state: ChangeState): Promise<void> {
  const { table, sourcePair, targetPair, registry } = state
  if (registry.row !== null && registry.row.target !== null) return
  const readers = await readReaders(session, table.oid)
  const columns = [...new Set([...(registry.row?.columns ?? []), sourcePair.column, targetPair.column])]
  const change = { source: sourcePair, target: targetPair, compared: null, speed: null, columns }
  const statements = [
    ...(registry.facts.registry === null ? createRegistrySql(table) : []),
    ...(readers.length === 0 ? [] : [`grant select on ${registryOf(table)} to ${readers.join(', ')}`]),
    ...(registry.row === null ? [registerSql(table, sourcePair)] : []),
    updateSql(table, sourcePair.column, change),
  ]
  try {
    await session.transaction((trx) => trx.send(statements))
  } catch (error) {
    if (registry.facts.registry !== null || !isRace(error)) throw error
    // Another session created the registry. Any role may have done so, so it is checked again.
    await register(session, await readAgain(session, state))
  }
}

function readAgain(session: Session, { source, target, wanted }: DeclaredChange): Promise<ChangeState> {
  return readChange(session, { source, target, wanted })
}

// A role that may read the table searches it, and needs the registry for that.
async function readReaders(session: Session, table: number): Promise<readonly string[]> {
  const names = await session.ask<readonly (string | null)[]>(`select coalesce(json_agg(distinct case grantee
      when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end), '[]') as state
    from pg_catalog.pg_class c, aclexplode(c.relacl) where c.oid = ${table} and privilege_type = 'SELECT' and grantee <> c.relowner`)
  return names.flatMap((name) => (name === null ? [] : [name === 'public' ? name : sendable(name)]))
}
