import { buildIfStale } from './build.ts'
import { dumpEmptyDatabase } from './embedded-dump.ts'
import { isWithoutServers, publishTestServers } from './found-servers.ts'
import { openRunFolder } from './once-a-run.ts'
import { startServers } from './servers.ts'

export default async function globalSetup(): Promise<void> {
  const [{ servers, containers }] = await Promise.all([
    startServers(),
    dumpEmptyDatabase(),
    buildIfStale(),
    openRunFolder(),
  ])
  globalThis.testContainers = containers
  publishTestServers(servers)
  if (servers.missing.length === 0) return
  const message = `No server for: ${servers.missing.join(', ')}. Start Docker, or set TEST_DATABASE_URL.`
  if (process.env['CI'] === 'true' && !isWithoutServers()) throw new Error(message)
  process.stderr.write(`${message} The tests that need them are listed as skipped.\n`)
}
