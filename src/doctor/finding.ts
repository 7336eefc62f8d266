/** What {@link diagnose} checks, in the order in which it reports. */
export type Check =
  | 'connection'
  | 'server'
  | 'provider'
  | 'rights'
  | 'extension'
  | 'advisories'
  | 'conflicts'
  | 'indexes'
  | 'embeddings'
  | 'replication'
  | 'settings'
  | 'migrations'
  | 'lock'

/** One line of a diagnosis. */
export interface Finding {
  /**
   * `error`: it does not work, or will not work. `warning`: it works, but needs attention. `unknown`: it could not be
   * checked, and the message explains why.
   */
  readonly level: 'ok' | 'warning' | 'error' | 'unknown'
  readonly check: Check
  /** The finding, in one sentence. */
  readonly message: string
  /** The next command, or what to do if there is no command for it. */
  readonly next?: string
}

/** Creates the findings of one check. */
export function findingsOf(check: Check): Record<Finding['level'], (message: string, next?: string) => Finding> {
  const as =
    (level: Finding['level']) =>
    (message: string, next?: string): Finding => ({ level, check, message, ...(next === undefined ? {} : { next }) })
  return { ok: as('ok'), warning: as('warning'), error: as('error'), unknown: as('unknown') }
}

const MOST_NAMED = 5

/** Returns a list for printing, shortened if it is long. */
export function listed(names: readonly string[]): string {
  const rest = names.length - MOST_NAMED
  return rest > 0 ? `${names.slice(0, MOST_NAMED).join(', ')} and ${rest} more` : names.join(', ')
}

/** Returns statements for printing, one per line, shortened if there are many. */
export function statements(each: readonly string[]): string {
  const rest = each.length - MOST_NAMED
  return rest > 0 ? [...each.slice(0, MOST_NAMED), `-- and ${rest} more like these`].join('\n') : each.join('\n')
}
