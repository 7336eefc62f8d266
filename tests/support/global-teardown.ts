import type { StartedPostgreSqlContainer } from '@testcontainers/postgresql'

import { removeRunFolder } from './once-a-run.ts'

declare global {
  var testContainers: StartedPostgreSqlContainer[] | undefined
}

export default async function globalTeardown(): Promise<void> {
  await Promise.all([removeRunFolder(), ...(globalThis.testContainers ?? []).map((container) => container.stop())])
}
