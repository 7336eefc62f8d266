import { PgvectorMigrationError } from '../core/errors.ts'
import { countKind, excluding, flagKind, optionsParser, textKind, textsKind } from '../core/option-kinds.ts'
import type { MigrationFiles } from './files/list.ts'
import type { AppliedMigration } from './tracking.ts'
import { resolveVersion } from './files/versions.ts'

/** Which of the pending migrations to apply. */
export interface UpSelection {
  /** The last migration to apply; by default all are applied. */
  readonly to?: string | undefined
  /** Apply only this migration; not together with `to` or `skip`. */
  readonly only?: string | undefined
  /** Skip these migrations. They remain pending and can be applied later. */
  readonly skip?: readonly string[] | undefined
}

/** Which of the applied migrations to roll back. */
export interface DownSelection {
  /** How many migrations, newest first; default 1. */
  readonly steps?: number | undefined
  /** Roll back everything that was applied after this migration, `'0'` for everything; not together with `steps`. */
  readonly to?: string | undefined
  /** Roll back everything that was applied; not together with `steps` or `to`. */
  readonly all?: boolean | undefined
}

/** @internal */
export const upKinds = {
  to: textKind,
  only: excluding(textKind, ['to', 'skip']),
  skip: textsKind,
} as const satisfies Record<keyof UpSelection, unknown>

/** @internal */
export const downKinds = {
  steps: countKind,
  to: excluding(textKind, ['steps']),
  all: excluding(flagKind, ['steps', 'to']),
} as const satisfies Record<keyof DownSelection, unknown>

/** @internal */
export const parseUpSelection = optionsParser(upKinds)
/** @internal */
export const parseDownSelection = optionsParser(downKinds)

/** Returns the pending migrations to apply, in order. */
export function selectUp(
  all: readonly string[],
  applied: readonly AppliedMigration[],
  selection: UpSelection,
): string[] {
  const done = new Set(applied.map(({ name }) => name))
  const pending = all.filter((name) => !done.has(name))
  if (selection.only !== undefined) {
    const only = resolveVersion(selection.only, all)
    return pending.filter((name) => name === only)
  }
  const skipped = new Set((selection.skip ?? []).map((version) => resolveVersion(version, all)))
  const last = selection.to === undefined ? undefined : all.indexOf(resolveVersion(selection.to, all))
  return pending.filter((name) => !skipped.has(name) && (last === undefined || all.indexOf(name) <= last))
}

/** Returns the pending migrations that sort before an applied one, and the last applied one. */
export function outOfOrder(
  order: readonly string[],
  applied: ReadonlySet<string>,
): { readonly names: readonly string[]; readonly last: string | undefined } {
  const end = order.findLastIndex((name) => applied.has(name))
  return { names: order.slice(0, Math.max(end, 0)).filter((name) => !applied.has(name)), last: order[end] }
}

/** Returns the applied migrations to roll back, newest first. If files may be missing, only those with a file. */
export function selectDown(
  { names: all, allowsMissing }: Pick<MigrationFiles, 'names' | 'allowsMissing'>,
  applied: readonly AppliedMigration[],
  { steps = 1, to, all: isAll = false }: DownSelection,
): string[] {
  const known = new Set(all)
  const names = applied.map(({ name }) => name)
  const newestFirst = names.toReversed()
  const isWhole = isAll || (to !== undefined && isBeforeAll(to, names))
  const after =
    to === undefined || isWhole ? newestFirst : newestFirst.slice(0, newestFirst.indexOf(resolveVersion(to, names)))
  const candidates = allowsMissing ? after.filter((name) => known.has(name)) : after
  const chosen = to === undefined && !isWhole ? candidates.slice(0, steps) : candidates
  const missing = chosen.filter((name) => !known.has(name))
  if (missing.length > 0) throw new PgvectorMigrationError('MIGRATION_FILES_MISSING', { missing })
  return chosen
}

// As elsewhere 0 is the state before the first migration, where none has that number.
function isBeforeAll(version: string, names: readonly string[]): boolean {
  return /^0+$/.test(version.trim()) && !names.some((name) => /^0+(?!\d)/.test(name))
}

/**
 * Checks that no file of an applied migration is missing. Knex refuses to continue in that case, unless it is
 * configured to.
 */
export function assertFilesExist(
  { names, allowsMissing }: Pick<MigrationFiles, 'names' | 'allowsMissing'>,
  applied: readonly AppliedMigration[],
): void {
  if (allowsMissing) return
  const known = new Set(names)
  const missing = applied.map(({ name }) => name).filter((name) => !known.has(name))
  if (missing.length > 0) throw new PgvectorMigrationError('MIGRATION_FILES_MISSING', { missing })
}
