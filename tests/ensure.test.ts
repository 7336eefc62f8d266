import { ensurePgvector } from '../src/index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { recordingLogger, statementsOf } from './support/recorder.ts'

describeOnEveryDatabase('ensurePgvector', (database) => {
  test('enables pgvector, verifies it and says what it did', async () => {
    const { knex, pgvector } = database()
    const logger = recordingLogger()
    const result = await ensurePgvector(knex, { logger })
    expect(result).toMatchObject({ status: 'created', version: pgvector, schema: 'public' })
    expect(logger.infos).toHaveLength(1)
  })

  test('sends one query where pgvector is enabled', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const statements = await statementsOf(knex, () => ensurePgvector(knex, { logger: false }))
    expect(statements).toHaveLength(1)
  })

  test('needs at most eight round trips to create it', async () => {
    const { knex } = database()
    const statements = await statementsOf(knex, () => ensurePgvector(knex, { logger: false }))
    expect(statements.length).toBeLessThanOrEqual(8)
  })
})
