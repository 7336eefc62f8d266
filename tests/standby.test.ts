import type { StartedPostgreSqlContainer } from '@testcontainers/postgresql'
import Knex from 'knex'

import { dropPgvector, ensurePgvector } from '../src/index.ts'
import { expectError } from './support/expect-error.ts'
import { testServers } from './support/found-servers.ts'
import { startImage, whenReady } from './support/servers.ts'

const silent = { logger: false } as const
const IMAGE = 'pgvector/pgvector:pg17'
const describeWithDocker = testServers().found.some(({ name }) => name === IMAGE) ? describe : describe.skip

describeWithDocker(`a hot standby [${IMAGE}]`, () => {
  let container: StartedPostgreSqlContainer | null = null

  beforeAll(async () => {
    container = await startImage(IMAGE, { keepsFiles: true })
    if (container === null) throw new Error(`${IMAGE} did not start`)
    await whenReady(container.getConnectionUri())
    const primary = Knex({ client: 'pg', connection: container.getConnectionUri() })
    await primary.raw('create database enabled')
    const { rows } = await primary.raw('show data_directory')
    await primary.destroy()
    const enabled = Knex({ client: 'pg', connection: urlOf(container, 'enabled') })
    await ensurePgvector(enabled, silent)
    await enabled.destroy()
    // With this file a server starts as a standby, and stays one, whether or not it has a primary to follow.
    await container.exec(['touch', `${rows[0].data_directory}/standby.signal`])
    await container.restart()
    await whenReady(container.getConnectionUri())
  })

  afterAll(async () => {
    await container?.stop()
  })

  const onDatabase = async (name: string, run: (knex: Knex.Knex) => Promise<void>): Promise<void> => {
    if (container === null) throw new Error('the standby did not start')
    const knex = Knex({ client: 'pg', connection: urlOf(container, name) })
    try {
      await run(knex)
    } finally {
      await knex.destroy()
    }
  }

  test('is fine for an application to start on where pgvector is enabled', async () => {
    await onDatabase('enabled', async (knex) => {
      expect((await ensurePgvector(knex, silent)).status).toBe('unchanged')
    })
  })

  test('is named as the reason where it would have to be enabled', async () => {
    await onDatabase('postgres', async (knex) => {
      const error = await expectError('READ_ONLY', () => ensurePgvector(knex, silent))
      expect(error.message).toBe('This server is a standby and cannot be changed')
      expect(error.hint).toContain('Connect to the primary server')
    })
  })

  test('is named as the reason where it would have to be dropped', async () => {
    await onDatabase('enabled', async (knex) => {
      const error = await expectError('READ_ONLY', () => dropPgvector(knex, silent))
      expect(error.details).toEqual({ reason: 'standby' })
    })
  })
})

function urlOf(container: StartedPostgreSqlContainer, database: string): string {
  const url = new URL(container.getConnectionUri())
  url.pathname = `/${database}`
  return url.href
}
