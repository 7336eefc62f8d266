import { startMachine, type Machine } from './machine.ts'

const PRIMARY = 5432
const STANDBY = 5433

/** A primary, and a hot standby that streams from it. */
export interface RunningStandby {
  primaryUrl(database: string): string
  standbyUrl(database: string): string
  stop(): Promise<void>
}

/** Starts a primary, fills it, and makes a standby of it with pg_basebackup, which has everything from its first moment. */
export async function startStandby(
  fill: (urlOf: (database: string) => string) => Promise<void>,
): Promise<RunningStandby> {
  const machine = await startMachine({ ports: [STANDBY] })
  try {
    await fill((database) => machine.url(database))
    await makeStandby(machine)
  } catch (error) {
    await machine.stop()
    throw error
  }
  return {
    primaryUrl: (database) => machine.url(database, PRIMARY),
    standbyUrl: (database) => machine.url(database, STANDBY),
    stop: () => machine.stop(),
  }
}

async function makeStandby(machine: Machine): Promise<void> {
  const { username, password } = new URL(machine.url())
  await machine.run(`
    export PGPASSWORD=${password}
    pg_basebackup -h 127.0.0.1 -p ${PRIMARY} -U ${username} -D /memory/standby --checkpoint=fast --write-recovery-conf
    pg_ctl -D /memory/standby -l /memory/standby.log -w -o "-p ${STANDBY} -c fsync=off -c max_connections=300 -c listen_addresses='*'" start
    until [ "$(psql -h 127.0.0.1 -p ${STANDBY} -U ${username} -d postgres -Atc "select count(*) from pg_stat_wal_receiver where status = 'streaming'")" = 1 ]; do sleep 0.05; done`)
}
