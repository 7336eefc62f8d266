import type { StartedPostgreSqlContainer } from '@testcontainers/postgresql'

import { testServers } from './found-servers.ts'
import { startImage, whenReady } from './servers.ts'

/** The image of machines with several servers. */
export const MACHINE_IMAGE = 'pgvector/pgvector:pg18'

/** Whether this machine can start them: the suite starts the same image. */
export const hasMachines = testServers().found.some(({ name }) => name === MACHINE_IMAGE)

/** A container with one server in it, where a test starts others. */
export interface Machine {
  /** The URL of a database; of the container's own server, or of that on another port. */
  url(database?: string, port?: number): string
  /** Runs a script as the servers' user, with PostgreSQL's programs on its PATH, and returns what it prints. */
  run(script: string): Promise<string>
  stop(): Promise<void>
}

/** Starts a container of the suite's image, with the ports that further servers in it will have. */
export async function startMachine(
  options: { readonly ports?: readonly number[]; readonly settings?: readonly string[] } = {},
): Promise<Machine> {
  const container = await startImage(MACHINE_IMAGE, options)
  if (container === null) throw new Error(`${MACHINE_IMAGE} did not start`)
  await whenReady(container.getConnectionUri())
  return {
    url: (database = 'postgres', port = 5432) => urlOf(container, database, port),
    run: async (script) => {
      const programs = 'export PATH="$(dirname "$(readlink /proc/1/exe)"):$PATH" LC_ALL=C; set -e'
      const { output, exitCode } = await container.exec(['bash', '-c', `${programs}\n${script}`], { user: 'postgres' })
      if (exitCode !== 0) throw new Error(`${script}\n${output}`)
      return output
    },
    stop: async () => {
      await container.stop()
    },
  }
}

function urlOf(container: StartedPostgreSqlContainer, database: string, port: number): string {
  const url = new URL(container.getConnectionUri())
  url.port = String(container.getMappedPort(port))
  url.pathname = `/${database}`
  return url.href
}
