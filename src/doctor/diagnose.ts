import { readReplication } from '../columns/replication.ts'
import { readState } from '../extension/inspect.ts'
import type { PgvectorState } from '../extension/state.ts'
import type { Requirements } from '../extension/assess.ts'
import { ensureOptions, MIN_POSTGRES_MAJOR, type EnsureOptions } from '../core/options.ts'
import { nameKind, optionsParser, textKind } from '../core/option-kinds.ts'
import { parseOptions } from '../core/parse-options.ts'
import type { SchemaOptions } from '../core/schema-options.ts'
import { isEmbeddedServer } from '../database/server-facts.ts'
import { sessionOf, type Database, type Session } from '../database/session.ts'
import { migratorKinds, settingsOf, type MigrationSettings, type MigratorOptions } from '../migrator/settings.ts'
import { readTracking } from '../migrator/tracking.ts'
import { readRunningChanges } from '../model-change/running.ts'
import { advisoryFindings } from './advisories.ts'
import { settingsFindings } from './build-memory.ts'
import { readBuildFacts } from './build-facts.ts'
import { clusterFindings, readCluster } from './cluster.ts'
import { conflictFindings } from './conflicts.ts'
import { connectionFinding, callerFindings, readCaller, type Caller } from './connection.ts'
import {
  absenceFindings,
  installationFindings,
  reachFindings,
  readReach,
  readVerification,
  requirementFindings,
  skewFindings,
  type Reach,
} from './extension.ts'
import { embeddingFindings, readEmbeddings } from './embeddings.ts'
import { modelChangeFindings } from './model-changes.ts'
import { findingsOf, type Check, type Finding } from './finding.ts'
import { indexFindings } from './indexes.ts'
import { indexUseFindings, readIndexUse } from './index-use.ts'
import { lockFindings, readLock } from './lock.ts'
import { migrationFindings, pendingOf, readFileNames, type Recorded } from './migrations.ts'
import { poolerFindings, readBackends } from './pooler.ts'
import { readIndexes } from './read-indexes.ts'
import { readingOf, type Reading } from './reading.ts'
import { replicationFindings } from './replication.ts'
import { rightsFindings } from './rights.ts'
import { providerFindings, serverFindings } from './server.ts'
import { readSpilledBuilds, spilledBuildFindings } from './spilled-builds.ts'
import { readUpdatedTables, updateFindings } from './update-cost.ts'
import { readTableRights, type TableRights } from './tables.ts'

/** Options of {@link diagnose}, in addition to `migrations` in the Knex configuration. */
export type DiagnoseOptions = MigratorOptions &
  SchemaOptions &
  Pick<EnsureOptions, 'minVersion'> & {
    /** The schema that the extension should be in; by default any. */
    readonly extensionSchema?: string | undefined
  }

const parseDiagnoseOptions = optionsParser({
  ...migratorKinds,
  minVersion: textKind,
  extensionSchema: textKind,
  schema: nameKind,
})

/**
 * Checks everything that determines whether migrations and vector search work here, and reports what to do about each
 * problem.
 *
 * It only reads, so it works with a read-only role, on a read-only database and on a standby. A check that was not
 * possible is a finding too. Without a connection, that is the only finding. In a transaction it also sees uncommitted
 * changes.
 *
 * @example
 * const findings = await diagnose(knex)
 * const broken = findings.filter(({ level }) => level === 'error')
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, or UNSUPPORTED_DATABASE if this is not PostgreSQL.
 */
export async function diagnose(db: Database, options: DiagnoseOptions = {}): Promise<Finding[]> {
  const { minVersion, extensionSchema, schema, ...migratorOptions } = parseDiagnoseOptions(options)
  const needs = parseOptions(ensureOptions, { minVersion, schema: extensionSchema })
  const session = sessionOf(db)
  const settings = settingsOf(session, migratorOptions)
  const seen = await readState(session, { schema: extensionSchema }, null).catch((error: unknown) => {
    const finding = connectionFinding(error)
    if (finding === null) throw error
    return finding
  })
  if ('level' in seen) return [seen]
  const isOld = seen.server.major < MIN_POSTGRES_MAJOR
  const isSingle = isEmbeddedServer(seen.server.description)
  const caller = await readCaller(session)
  const reach = await readReach(session, seen.installed?.schema ?? null)
  const tables = await readingOf(session, (trx) => readTableRights(trx, settings.tables))
  const files = await readFileNames(settings)
  const recorded = await readRecorded(session, settings, tables)
  const indexes = await readingOf(session, (on) => readIndexes(on, schema))
  const findings = [
    ...callerFindings(caller),
    ...(isSingle ? [] : poolerFindings(await readBackends(session))),
    ...serverFindings(seen, new Date().toISOString().slice(0, 10)),
    ...providerFindings(seen),
    ...rightsFindings(seen, settings.tables, tables),
    ...(isOld
      ? []
      : await extensionFindings(session, seen, needs, reach, caller, pendingOf(files, recorded).length > 0)),
    ...(seen.isCitus
      ? from('extension', await readingOf(session, readCluster), (each) => clusterFindings(each, seen))
      : []),
    ...(indexes.isKnown ? advisoryFindings(seen, indexes.value.vector) : []),
    ...(isOld ? [] : conflictFindings(seen, needs, reach)),
    ...from('indexes', indexes, indexFindings),
    ...from('indexes', await readingOf(session, (on) => readIndexUse(on, schema)), indexUseFindings),
    ...from('indexes', await readingOf(session, (on) => readUpdatedTables(on, schema)), updateFindings),
    ...from('indexes', await readingOf(session, (on) => readSpilledBuilds(on, schema)), spilledBuildFindings),
    ...from('embeddings', await readingOf(session, (on) => readEmbeddings(on, schema)), embeddingFindings),
    ...from('embeddings', await readingOf(session, (on) => readRunningChanges(on, schema)), modelChangeFindings),
    ...from('replication', await readingOf(session, readReplication), replicationFindings),
    ...from('settings', await readingOf(session, (on) => readBuildFacts(on, schema)), (each) =>
      settingsFindings(seen, each),
    ),
    ...migrationFindings(files, recorded, settings.tables.migrations),
    ...(await lockOf(session, settings, tables, isSingle)),
  ]
  return findings.map((finding) => whereItCanBeDone(finding, seen.readOnly))
}

const WRITES = /^npx knex-pgvector (?:up|unlock|index repair)\b/

/** If nothing can be written here, the advice of a finding has to be followed elsewhere. */
function whereItCanBeDone(finding: Finding, readOnly: PgvectorState['readOnly']): Finding {
  if (readOnly === null || finding.next === undefined || !WRITES.test(finding.next)) return finding
  const where = readOnly.reason === 'standby' ? 'on the primary server' : 'on a connection that may write'
  return { ...finding, next: `${finding.next} -- ${where}` }
}

async function extensionFindings(
  session: Session,
  seen: PgvectorState,
  needs: Requirements,
  reach: Reach,
  caller: Caller,
  hasPending: boolean,
): Promise<Finding[]> {
  const required = requirementFindings(seen, needs)
  if (required.length > 0) return [...required, ...reachFindings(seen, reach, caller)]
  return [
    ...absenceFindings(seen, hasPending),
    ...installationFindings(seen, await readingOf(session, readVerification)),
    ...skewFindings(seen),
    ...reachFindings(seen, reach, caller),
  ]
}

async function readRecorded(
  session: Session,
  { tables }: MigrationSettings,
  rights: Reading<TableRights>,
): Promise<Recorded> {
  if (!rights.isKnown) return rights
  if (!rights.value.migrations.exists) return { names: null }
  const unreadable = rights.value.distrusted.find(({ isUnsafeToRead }) => isUnsafeToRead)
  if (unreadable !== undefined) return { reason: `${unreadable.table} is not trusted` }
  const tracking = await readingOf(session, (trx) => readTracking(trx, tables))
  return tracking.isKnown ? { names: tracking.value.applied.map(({ name }) => name) } : tracking
}

async function lockOf(
  session: Session,
  { tables }: MigrationSettings,
  rights: Reading<TableRights>,
  isSingle: boolean,
): Promise<Finding[]> {
  if (rights.isKnown && !rights.value.lock.exists)
    return [findingsOf('lock').ok('does not exist yet: the first run creates it')]
  const unreadable = rights.isKnown ? rights.value.distrusted.find(({ isUnsafeToRead }) => isUnsafeToRead) : undefined
  if (unreadable !== undefined)
    return [findingsOf('lock').unknown(`could not be checked: ${unreadable.table} is not trusted`)]
  const hasRuns = rights.isKnown && rights.value.runs.exists
  const lock = await readingOf(session, (trx) => readLock(trx, tables, hasRuns))
  return from('lock', lock, (facts) => lockFindings(facts, tables, isSingle))
}

function from<Value>(check: Check, reading: Reading<Value>, findings: (value: Value) => Finding[]): Finding[] {
  if (reading.isKnown) return findings(reading.value)
  return [findingsOf(check).unknown(`could not be checked: ${reading.reason}`)]
}
