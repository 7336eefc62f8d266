import { PgvectorMigrationError } from '../core/errors.ts'
import { MIN_POSTGRES_MAJOR, type ParsedEnsureOptions } from '../core/options.ts'
import { identifier } from '../core/sql.ts'
import { remedies } from '../pgvector/providers.ts'
import type { Glance, InstalledExtension, PgvectorState } from './state.ts'
import { isAtLeast, newest } from '../pgvector/version.ts'

/** The options that determine what a caller needs of the extension. */
export type Requirements = Pick<ParsedEnsureOptions, 'minVersion' | 'schema' | 'createSchema' | 'dimensions' | 'update'>

/** What to do when there are no errors. */
export type Plan =
  | { readonly action: 'none' }
  | {
      readonly action: 'create'
      readonly schema: string
      readonly createSchema: boolean
      readonly version: string | null
    }
  | { readonly action: 'update'; readonly version: string }

/** Every reason not to proceed, and what to do if there is none. */
export interface Assessment {
  /** In the order in which to fix them; empty if the plan can be carried out. */
  readonly errors: readonly PgvectorMigrationError[]
  readonly plan: Plan
}

/** Compares the server's state with what a caller needs. It is a pure function, and makes every decision. */
export function assess(state: PgvectorState, needs: Requirements): Assessment {
  if (state.server.major < MIN_POSTGRES_MAJOR) return { errors: [postgresTooOld(state)], plan: { action: 'none' } }
  return state.installed === null ? assessCreation(state, needs) : assessInstalled(state, needs)
}

/** Whether the lean query already answers everything a caller needs. */
export function satisfies(seen: Glance, needs: Pick<Requirements, 'minVersion'>): boolean {
  const { installed, server } = seen
  if (installed === null || server.major < MIN_POSTGRES_MAJOR || installed.reach === 'none') return false
  return installed.missing.length === 0 && isAtLeast(installed.version, needs.minVersion)
}

function assessInstalled(state: PgvectorState, needs: Requirements): Assessment {
  const { installed } = state
  if (installed === null) return assessCreation(state, needs)
  if (installed.reach === 'none') return { errors: [usageDenied(installed)], plan: { action: 'none' } }
  if (!isAtLeast(installed.version, needs.minVersion)) return assessUpdate(state, needs, installed.version)
  const problems = installed.missing.map(
    (object) => `${object} is missing in the schema ${identifier(installed.schema)}`,
  )
  return {
    errors: problems.length === 0 ? [] : [new PgvectorMigrationError('VERIFICATION_FAILED', { problems })],
    plan: { action: 'none' },
  }
}

/** Returns the error for a role that lacks USAGE on the schema, and so cannot use anything in it. */
export function usageDenied({ schema, caller: { role } }: InstalledExtension): PgvectorMigrationError {
  const statement = `use the schema ${identifier(schema)}`
  const hint = `As its owner or a superuser: GRANT USAGE ON SCHEMA ${identifier(schema)} TO ${identifier(role)}; then run this again.`
  return new PgvectorMigrationError('INSUFFICIENT_PRIVILEGE', { statement, role }, { hint })
}

function assessUpdate(state: PgvectorState, needs: Requirements, installed: string): Assessment {
  const available = state.available === null ? null : newest(reachable(state))
  const plan: Plan = available === null ? { action: 'none' } : { action: 'update', version: available }
  if (available === null || !needs.update || !isAtLeast(available, needs.minVersion)) {
    const details = { installed, minimum: needs.minVersion, available }
    const enough = available !== null && isAtLeast(available, needs.minVersion)
    const afterwards = `Install pgvector ${needs.minVersion} or newer on the database server, then run: ALTER EXTENSION vector UPDATE;`
    return { errors: [tooLow(state, details, enough, afterwards)], plan: { action: 'none' } }
  }
  // Another owner is no reason to refuse, because some providers let other roles update the extensions on their list.
  // The statement itself will show.
  return { errors: state.readOnly === null ? [] : [readOnly(state.readOnly)], plan }
}

function assessCreation(state: PgvectorState, needs: Requirements): Assessment {
  const { available, server, target, provider } = state
  if (available === null) {
    const error = new PgvectorMigrationError(
      'PGVECTOR_NOT_AVAILABLE',
      { major: server.major },
      { hint: remedies(provider).notAvailable },
    )
    return { errors: [error], plan: { action: 'none' } }
  }
  const errors: PgvectorMigrationError[] = []
  const best = newest(reachable(state)) ?? available.defaultVersion
  const isDefaultEnough = isAtLeast(available.defaultVersion, needs.minVersion)
  if (!isDefaultEnough && !isAtLeast(best, needs.minVersion)) {
    errors.push(tooLow(state, { installed: best, minimum: needs.minVersion, available: best }, false))
  }
  if (target.schema === null || (!target.exists && !needs.createSchema)) {
    errors.push(new PgvectorMigrationError('SCHEMA_NOT_FOUND', { schema: target.schema }))
  }
  errors.push(...conflicts(state))
  if (!target.exists && needs.createSchema && !state.role.canCreateInDatabase) {
    errors.push(
      new PgvectorMigrationError(
        'INSUFFICIENT_PRIVILEGE',
        { statement: 'CREATE SCHEMA', role: state.role.name },
        { hint: `Grant it: GRANT CREATE ON DATABASE this_database TO ${identifier(state.role.name)};` },
      ),
    )
  }
  if (state.readOnly !== null) errors.push(readOnly(state.readOnly))
  return {
    errors,
    plan: {
      action: 'create',
      schema: target.schema ?? '',
      createSchema: !target.exists,
      version: isDefaultEnough ? null : best,
    },
  }
}

function conflicts(state: PgvectorState): PgvectorMigrationError[] {
  const version = state.available?.defaultVersion ?? ''
  // halfvec and sparsevec arrived in 0.7.0; before that, their names are free.
  const ours = isAtLeast(version, '0.7.0') ? ['vector', 'halfvec', 'sparsevec'] : ['vector']
  const types = state.lookalikes.filter(({ schema, name }) => schema === state.target.schema && ours.includes(name))
  return [
    ...types.map((type) => new PgvectorMigrationError('TYPE_CONFLICT', type)),
    ...state.accessMethods.map((method) => new PgvectorMigrationError('ACCESS_METHOD_CONFLICT', method)),
  ]
}

function reachable(state: PgvectorState): readonly string[] {
  const { available } = state
  return available === null ? [] : [available.defaultVersion, ...available.versions]
}

function tooLow(
  state: PgvectorState,
  details: { readonly installed: string; readonly minimum: string; readonly available: string | null },
  canUpdate: boolean,
  hint?: string,
): PgvectorMigrationError {
  const known = canUpdate ? details : { ...details, available: null }
  return new PgvectorMigrationError('PGVECTOR_VERSION_TOO_LOW', known, {
    hint: canUpdate ? undefined : (remedies(state.provider).versionTooLow ?? hint),
  })
}

function postgresTooOld(state: PgvectorState): PgvectorMigrationError {
  return new PgvectorMigrationError('POSTGRES_TOO_OLD', {
    version: state.server.version,
    requiredMajor: MIN_POSTGRES_MAJOR,
  })
}

function readOnly(reason: NonNullable<PgvectorState['readOnly']>): PgvectorMigrationError {
  return new PgvectorMigrationError('READ_ONLY', reason)
}
