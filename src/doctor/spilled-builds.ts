import { mebibytes, memoryText } from '../core/sizes.ts'
import { qualified } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { serverSettingsSql, type ServerSettings } from '../indexes/look/settings.ts'
import { isBelieved, readLogState } from '../log/log-state.ts'
import { isInSchema } from '../core/sql.ts'
import { findingsOf, type Finding } from './finding.ts'

const { ok, warning } = findingsOf('indexes')

/** An HNSW index whose graph did not fit into memory when it was built, as the log recorded it. */
export interface SpilledBuild {
  readonly name: string
  readonly table: string
  readonly rows: number
  /** The row after which the build continued on disk. */
  readonly spillsAfter: number
  readonly neededMemory: number
  /** The maintenance_work_mem of that build. */
  readonly maintenanceWorkMemory: number
}

/** The indexes that were built past their memory, and the settings of the next build. */
export interface SpilledBuilds {
  readonly settings: Pick<ServerSettings, 'maintenanceWorkMemory' | 'sharedBuffers'>
  readonly builds: readonly SpilledBuild[]
}

/** Reads the last entry of each existing index from the log, if the log is trusted. */
export async function readSpilledBuilds(session: Session, schema?: string): Promise<SpilledBuilds | null> {
  const log = await readLogState(session, {})
  if (!isBelieved(log)) return null
  return session.ask(`select json_build_object('settings', ${serverSettingsSql}, 'builds', (
      select coalesce(json_agg(json_build_object('name', format('%I.%I', n.nspname, c.relname),
        'table', x.indrelid::regclass::text, 'rows', last.details -> 'rows',
        'spillsAfter', last.details -> 'settings' -> 'spillsAfter',
        'neededMemory', last.details -> 'settings' -> 'neededMemory',
        'maintenanceWorkMemory', last.details -> 'settings' -> 'maintenanceWorkMemory'
      ) order by n.nspname, c.relname), '[]')
      from pg_catalog.pg_index x
      join pg_catalog.pg_class c on c.oid = x.indexrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_am a on a.oid = c.relam and a.amname = 'hnsw'
      join lateral (
        select l.event, l.details from ${qualified(log.schema, log.table)} l
        where l.event in ('index built', 'index rebuilt', 'index dropped')
          and l.details ->> 'index' = c.relname and l.details ->> 'table' = x.indrelid::text
        order by l.id desc limit 1
      ) last on last.event = 'index built'
      where x.indisvalid and ${isInSchema('n.nspname', schema)} and jsonb_typeof(last.details -> 'settings' -> 'spillsAfter') = 'number'
        and jsonb_typeof(last.details -> 'settings' -> 'neededMemory') = 'number'
    )) as state`)
}

/** Reports indexes whose builds were slow for want of memory. The index is as good as any, but the next build is as slow. */
export function spilledBuildFindings(seen: SpilledBuilds | null): Finding[] {
  if (seen === null) return []
  const { maintenanceWorkMemory, sharedBuffers } = seen.settings
  return seen.builds.map((build) => {
    const { name, table, rows, spillsAfter, neededMemory } = build
    const message =
      `${name} on ${table} was built past its memory: its graph needed ${memoryText(neededMemory)}, and with ` +
      `${memoryText(build.maintenanceWorkMemory)} each of the last ${(rows - spillsAfter).toLocaleString('en')} of ` +
      `${rows.toLocaleString('en')} rows took many times as long`
    if (neededMemory <= Math.max(maintenanceWorkMemory, sharedBuffers))
      return ok(`${message}; the next build has enough`)
    const wanted = Math.ceil(mebibytes(neededMemory) * MARGIN)
    return warning(
      `${message}. The index works, but its next build would take as long`,
      `createVectorIndex(knex, index, { maxMemory: '${wanted}MB' }) -- or SET maintenance_work_mem = '${wanted}MB'; before a REINDEX, if the server has the memory`,
    )
  })
}

// For rows that are inserted until then.
const MARGIN = 1.1
