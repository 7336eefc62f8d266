import { PgvectorMigrationError } from '../core/errors.ts'
import type { Distrust } from '../database/table-trust.ts'
import { logWarning } from '../log/migration-log.ts'
import { remedies } from '../pgvector/providers.ts'
import type { PgvectorState } from '../extension/state.ts'
import { MIN_POSTGRES_MAJOR } from '../core/options.ts'
import { identifier, qualified } from '../core/sql.ts'
import type { MigrationTables } from '../migrator/settings.ts'
import { neededPrivileges } from '../migrator/tracking.ts'
import { notTrusted } from '../migrator/trust.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Reading } from './reading.ts'
import type { TableRights } from './tables.ts'

const { ok, warning, error: failure, unknown } = findingsOf('rights')

/** Reports what the role may do: enable pgvector, write the migration log, record a run. */
export function rightsFindings(state: PgvectorState, tables: MigrationTables, rights: Reading<TableRights>): Finding[] {
  const findings = [...creationFindings(state), ...logFindings(state), ...tableFindings(state, tables, rights)]
  const { name, superuser } = state.role
  if (superuser) return [ok(`the role ${name} is a superuser`), ...findings]
  const isEnough = findings.every(({ level }) => level === 'ok')
  return isEnough ? [ok(`the role ${name} may do what a run of migrations needs`), ...findings] : findings
}

function creationFindings({ installed, available, role, provider, server }: PgvectorState): Finding[] {
  if (installed !== null || available === null || role.superuser || server.major < MIN_POSTGRES_MAJOR) return []
  if (available.trusted && role.canCreateInDatabase) return []
  const { message, hint } = new PgvectorMigrationError(
    'INSUFFICIENT_PRIVILEGE',
    { statement: 'CREATE EXTENSION', role: role.name },
    { hint: remedies(provider).privilege },
  )
  // A provider may let other roles create it than the catalog shows.
  return provider === 'stock'
    ? [failure(message, hint)]
    : [unknown(`whether the role ${role.name} may create the extension depends on the provider`, hint)]
}

function logFindings({ log, role, installed }: PgvectorState): Finding[] {
  if (log.distrust !== null) return [distrustFinding(log.distrust)]
  const message = logWarning(log)
  if (message === null || (installed !== null && !log.exists)) return []
  const next =
    log.schema === null
      ? `ALTER ROLE ${identifier(role.name)} SET search_path = public;`
      : log.exists
        ? `GRANT SELECT, INSERT ON ${qualified(log.schema, log.table)} TO ${identifier(role.name)};`
        : `GRANT CREATE ON SCHEMA ${identifier(log.schema)} TO ${identifier(role.name)};`
  return [warning(message.replace('was not written', 'cannot be written'), next)]
}

function distrustFinding(distrust: Distrust): Finding {
  const { message, hint } = notTrusted(distrust)
  return failure(message, hint)
}

function tableFindings({ role }: PgvectorState, tables: MigrationTables, rights: Reading<TableRights>): Finding[] {
  if (!rights.isKnown)
    return [unknown(`what the role may do with the tables of Knex could not be read: ${rights.reason}`)]
  const { sequence, distrusted } = rights.value
  const names = (['migrations', 'lock', 'runs'] as const).filter((name) => {
    const { exists, isWritable } = rights.value[name]
    return exists && !isWritable
  })
  const lacking = [
    ...names.map((name) => ({
      name: tables[name],
      grant: `${neededPrivileges[name].join(', ').toUpperCase()} ON ${tables[name]}`,
    })),
    ...(sequence === null || sequence.isUsable
      ? []
      : [{ name: sequence.name, grant: `USAGE ON SEQUENCE ${sequence.name}` }]),
  ]
  const untrusted = distrusted.map(distrustFinding)
  if (lacking.length === 0) return untrusted
  return [
    ...untrusted,
    warning(
      `the role ${role.name} may not write ${lacking.map(({ name }) => name).join(', ')}: it can look, and cannot migrate`,
      lacking.map(({ grant }) => `GRANT ${grant} TO ${identifier(role.name)};`).join('\n'),
    ),
  ]
}
