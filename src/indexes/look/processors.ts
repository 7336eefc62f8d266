import { sqlStateOf } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'

/** What Linux reports about the processors that the server may use; null if it does not. */
export interface ProcessorFiles {
  /** `/proc/self/status`: the processors that the process may run on. */
  readonly status: string | null
  /** `/sys/devices/system/cpu/online`: the processors that exist. */
  readonly online: string | null
  /** `/sys/fs/cgroup/cpu.max`: the share of a container. */
  readonly share: string | null
}

/**
 * Asks the server how many processors it has. This works if it runs on Linux and this role may read its files, as a
 * superuser or a member of pg_read_server_files. Null if unknown.
 *
 * Not for use in a transaction, which would be aborted if the operating system denies the server access to the files.
 */
export async function readProcessors(session: Session): Promise<number | null> {
  if (session.isInTransaction) return null
  try {
    return processorsIn(await session.ask<ProcessorFiles>(PROCESSORS))
  } catch (error) {
    // The number only saves time, so errors are ignored.
    if (sqlStateOf(error) === undefined) throw error
    return null
  }
}

const mayRead = `pg_has_role('pg_read_server_files', 'usage')
  and has_function_privilege('pg_read_file(text, bigint, bigint, boolean)', 'execute')`

const PROCESSORS = `
  select json_build_object('status', ${read('/proc/self/status')}, 'online', ${read('/sys/devices/system/cpu/online')},
    'share', ${read('/sys/fs/cgroup/cpu.max')}) as state`

/**
 * SQL: the content of a file of the operating system; null if there is none, or if this role may not read it. It has a
 * length, because the system reports such a file as empty.
 */
export function read(path: string): string {
  return `case when ${mayRead} then pg_read_file('${path}', 0, 65536, true) end`
}

/**
 * Returns the number of processors from what Linux reports.
 *
 * @example processorsIn({ status: 'Cpus_allowed_list:\t0-7', online: '0-3', share: 'max 100000' }) // 4
 */
export function processorsIn({ status, online, share }: ProcessorFiles): number | null {
  const known = [
    count(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status ?? '')?.[1]),
    count(online?.trim()),
    shareOf(share ?? ''),
  ].filter((number) => number !== null)
  return known.length === 0 ? null : Math.min(...known)
}

// Like 0-3,8,10-11.
function count(list: string | undefined): number | null {
  if (list === undefined || !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(list)) return null
  const ranges = list.split(',').map((range) => range.split('-').map(Number))
  return ranges.reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0)
}

// Microseconds of processor time, and the period in which they may be used.
function shareOf(share: string): number | null {
  const [, quota, period] = /^(\d+) (\d+)$/m.exec(share) ?? []
  return quota === undefined ? null : Math.max(1, Math.ceil(Number(quota) / Number(period)))
}
