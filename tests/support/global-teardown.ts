import type { StartedPostgreSqlContainer } from '@testcontainers/postgresql'

declare global {
  var testContainers: StartedPostgreSqlContainer[] | undefined
}

export default async function globalTeardown(): Promise<void> {
  await Promise.all((globalThis.testContainers ?? []).map((container) => container.stop()))
}
