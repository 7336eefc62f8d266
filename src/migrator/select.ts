import { PgvectorMigrationError } from '../core/errors.ts'
import { countKind, excluding, optionsParser, textKind, textsKind } from '../core/option-kinds.ts'
import type { MigrationFiles } from './files/list.ts'
import type { AppliedMigration } from './tracking.ts'
import { resolveVersion } from './files/versions.ts'

/** Which of the pending migrations to apply. */
export interface UpSelection {
  /** The last one to apply; by default all. */
  readonly to?: string | undefined
  /** This one alone; not together with `to` or `skip`. */
  readonly only?: string | undefined
  /** These not; they stay pending and can be applied later. */
  readonly skip?: readonly string[] | undefined
}

/** Which of the applied migrations to undo. */
export interface DownSelection {
  /** How many, newest first; default 1. */
  readonly steps?: number | undefined
  /** Everything that was applied after this one; not together with `steps`. */
  readonly to?: string | undefined
}

export const upKinds = {
  to: textKind,
  only: excluding(textKind, ['to', 'skip']),
  skip: textsKind,
} as const satisfies Record<keyof UpSelection, unknown>

export const downKinds = { steps: countKind, to: excluding(textKind, ['steps']) } as const satisfies Record<
  keyof DownSelection,
  unknown
>

export const parseUpSelection = optionsParser(upKinds)
export const parseDownSelection = optionsParser(downKinds)

/** The pending migrations to apply, in order. */
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

/** The pending migrations that come before one that was applied, and the last that was. */
export function outOfOrder(
  order: readonly string[],
  applied: ReadonlySet<string>,
): { readonly names: readonly string[]; readonly last: string | undefined } {
  const end = order.findLastIndex((name) => applied.has(name))
  return { names: order.slice(0, Math.max(end, 0)).filter((name) => !applied.has(name)), last: order[end] }
}

/** The applied migrations to undo, newest first; where files may be gone, those that have one. */
export function selectDown(
  { names: all, allowsMissing }: Pick<MigrationFiles, 'names' | 'allowsMissing'>,
  applied: readonly AppliedMigration[],
  { steps = 1, to }: DownSelection,
): string[] {
  const known = new Set(all)
  const names = applied.map(({ name }) => name)
  const newestFirst = names.toReversed()
  const after = to === undefined ? newestFirst : newestFirst.slice(0, newestFirst.indexOf(resolveVersion(to, names)))
  const candidates = allowsMissing ? after.filter((name) => known.has(name)) : after
  const chosen = to === undefined ? candidates.slice(0, steps) : candidates
  const missing = chosen.filter((name) => !known.has(name))
  if (missing.length > 0) throw new PgvectorMigrationError('MIGRATION_FILES_MISSING', { missing })
  return chosen
}

/** Migrations that were applied and whose files are gone: Knex refuses to go on then, unless it is told otherwise. */
export function assertFilesExist(
  { names, allowsMissing }: Pick<MigrationFiles, 'names' | 'allowsMissing'>,
  applied: readonly AppliedMigration[],
): void {
  if (allowsMissing) return
  const known = new Set(names)
  const missing = applied.map(({ name }) => name).filter((name) => !known.has(name))
  if (missing.length > 0) throw new PgvectorMigrationError('MIGRATION_FILES_MISSING', { missing })
}
