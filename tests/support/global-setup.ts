import { announcement } from './announcement.ts'
import { buildIfStale } from './build.ts'
import { dumpEmptyDatabase } from './embedded-dump.ts'
import { isWithoutServers, publishTestServers } from './found-servers.ts'
import { openRunFolder } from './once-a-run.ts'
import { startServers } from './servers.ts'

/** The part of jest's configuration that says which tests were asked for. */
interface Selection {
  readonly testNamePattern?: string
  readonly testPathPatterns: { readonly patterns: readonly string[] }
}

export default async function globalSetup({ testNamePattern, testPathPatterns }: Selection): Promise<void> {
  await openRunFolder()
  const [{ servers, containers }] = await Promise.all([startServers(), dumpEmptyDatabase(), buildIfStale()])
  globalThis.testContainers = containers
  publishTestServers(servers)
  const isWholeSuite = (testNamePattern ?? '') === '' && testPathPatterns.patterns.length === 0
  process.stderr.write(`${announcement(servers, isWholeSuite)}\n`)
  if (process.env['CI'] === 'true' && !isWithoutServers() && servers.missing.length > 0) {
    throw new Error(`CI=true needs a server for each of: ${servers.missing.join(', ')}`)
  }
}
