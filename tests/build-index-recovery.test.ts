import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { createVectorIndex, dropVectorIndex, type VectorIndex, vectorIndex } from '../src/index.ts'
import { describeOnServers, type TestDatabase } from './support/databases.ts'
import { addDocuments, createDocuments, embedding, indexesOf } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { hold, holders, phaseReached, startHeld, strikeIn, strikes } from './support/phases.ts'
import { recordingLogger } from './support/recorder.ts'

// Slow to build for so few rows.
const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2', efConstruction: 400 })
const ROWS = 2500
const quiet = { logger: false } as const
const phases = Object.entries(holders)

const codes = { pg_cancel_backend: 'INDEX_BUILD_FAILED', pg_terminate_backend: 'CONNECTION_LOST' } as const
const ways = (['pg_cancel_backend', 'pg_terminate_backend'] as const).map((strike) => ({
  strike,
  code: codes[strike],
  sqlState: strikes[strike],
}))
const inPhases = (...names: readonly string[]) => names.flatMap((phase) => ways.map((way) => ({ phase, ...way })))

describeOnServers('a build that is interrupted', (database) => {
  test.each(phases)('by SIGKILL in "%s" is finished by the next run', async (phase, holder) => {
    const { knex, url } = database()
    await createDocuments(knex, ROWS)
    const { build: child, release } = await startHeld(knex, holder, () => startBuild(url ?? ''))
    await phaseReached(knex, phase)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await release()
    await expectMended(knex)
  })

  test.each(phases)('by its signal in "%s" is reported and finished by the next run', async (phase, holder) => {
    const { knex } = database()
    await createDocuments(knex, ROWS)
    const controller = new AbortController()
    const { build, release } = await startHeld(knex, holder, () =>
      expectError('INDEX_BUILD_FAILED', () => createVectorIndex(knex, index, { ...quiet, signal: controller.signal })),
    )
    await phaseReached(knex, phase)
    controller.abort()
    expect(await build).toMatchObject({ message: expect.stringContaining('stopped by its caller'), sqlState: '57014' })
    await release()
    await expectMended(knex)
  })

  test.each(phases)('by the loss of its connection in "%s" is finished by the next run', async (phase, holder) => {
    const { knex } = database()
    await createDocuments(knex, ROWS)
    const { build, release } = await startHeld(knex, holder, () =>
      expectError('CONNECTION_LOST', () => createVectorIndex(knex, index, quiet)),
    )
    const processId = await phaseReached(knex, phase)
    await knex.raw(`select pg_terminate_backend(${processId})`)
    expect((await build).sqlState).toBe('57P01')
    await release()
    await expectMended(knex)
  })

  test.each(ways)('by $strike in "waiting for writers before validation" is finished by the next run', async (way) => {
    const { knex, connect } = database()
    await createDocuments(knex, ROWS)
    const struck = strikeIn(connect(), 'waiting for writers before validation', way.strike)
    const build = expectError(way.code, () => createVectorIndex(knex, index, quiet))
    await phaseReached(knex, 'loading tuples')
    // A transaction that begins now is waited for then.
    const release = await hold(connect(), holders['waiting for writers before build'])
    await struck
    expect((await build).sqlState).toBe(way.sqlState)
    await release()
    await expectMended(knex)
  })

  test.each(inPhases('index validation: scanning index', 'index validation: scanning table'))(
    'by $strike in "$phase" is finished by the next run',
    async ({ phase, strike, code, sqlState }) => {
      const { knex, connect } = database()
      await createDocuments(knex, ROWS)
      const error = await buildStruck(database(), index, phase, strike, async () => {
        await phaseReached(knex, 'loading tuples')
        // What comes now is what there is to validate.
        await addDocuments(connect(), 300)
      })
      expect(error).toMatchObject({ code, sqlState })
      await expectMended(knex)
    },
  )

  test.each(inPhases('assigning tuples', 'loading tuples'))(
    'of ivfflat by $strike in "$phase" is finished by the next run',
    async ({ phase, strike, code, sqlState }) => {
      const { knex } = database()
      await createDocuments(knex, 6000)
      const lists = vectorIndex(embedding, { method: 'ivfflat', metric: 'l2', lists: 600 })
      const error = await buildStruck(database(), lists, phase, strike)
      expect(error).toMatchObject({ code, sqlState })
      expect((await createVectorIndex(knex, lists, quiet)).status).toBe('built')
      expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: lists.name, isValid: true })])
    },
  )

  test.each([
    ['performing k-means', null],
    ['waiting for old snapshots', holders['waiting for old snapshots']],
  ])('of ivfflat by its signal in "%s" is finished by the next run', async (phase, holder) => {
    const { knex } = database()
    await createDocuments(knex, 6000)
    // Comparing all rows with so many lists takes a while.
    const lists = vectorIndex(embedding, { method: 'ivfflat', metric: 'l2', lists: 600 })
    const release = await hold(knex, holder)
    const controller = new AbortController()
    const build = expectError('INDEX_BUILD_FAILED', () =>
      createVectorIndex(knex, lists, { ...quiet, signal: controller.signal }),
    )
    await phaseReached(knex, phase)
    controller.abort()
    expect(await build).toMatchObject({ message: expect.stringContaining('stopped by its caller'), sqlState: '57014' })
    await release()
    expect((await createVectorIndex(knex, lists, quiet)).status).toBe('built')
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: lists.name, isValid: true })])
  })

  test('is recognised by what it left, whatever that is called', async () => {
    const { knex } = database()
    await createDocuments(knex, ROWS)
    const release = await hold(knex, holders['waiting for writers before build'])
    const left = knex
      .raw(
        'create index concurrently by_hand on documents using hnsw (embedding vector_l2_ops) with (ef_construction = 400)',
      )
      .catch(String)
    const processId = await phaseReached(knex, 'waiting for writers before build')
    await knex.raw(`select pg_cancel_backend(${processId})`)
    expect(await left).toContain('canceling statement')
    await release()
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: 'by_hand', isValid: false })])
    const logger = recordingLogger()
    expect((await createVectorIndex(knex, index, { logger })).status).toBe('built')
    expect(logger.infos[0]).toBe('"public"."by_hand" was left by an interrupted build; it is dropped and built again')
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
  })

  async function expectMended(knex: ReturnType<typeof database>['knex']): Promise<void> {
    const result = await createVectorIndex(knex, index, quiet)
    // A killed runner's server process may have ended the work before it noticed.
    expect(['built', 'kept']).toContain(result.status)
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
  }
})

/** The error of a build that was ended in a phase; where the phase was missed, it is built again. */
async function buildStruck(
  { knex, connect }: Pick<TestDatabase, 'knex' | 'connect'>,
  wanted: VectorIndex,
  phase: string,
  strike: keyof typeof strikes,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<unknown> {
  const striker = connect()
  await striker.raw('select 1')
  for (let tries = 0; tries < 20; tries++) {
    const struck = strikeIn(striker, phase, strike)
    const build = createVectorIndex(knex, wanted, quiet).catch((error: unknown) => error)
    await meanwhile()
    await struck
    const outcome = await build
    if (outcome instanceof Error) return outcome
    await dropVectorIndex(knex, wanted, quiet)
  }
  throw new Error(`no build was struck in the phase ${phase}`)
}

function startBuild(url: string): ReturnType<typeof spawn> {
  const built = join(__dirname, '..', 'dist')
  const script = `
    const knex = require('knex')({ client: 'pg', connection: process.env.DATABASE_URL })
    const { createVectorIndex } = require(${JSON.stringify(built)})
    void createVectorIndex(knex, ${JSON.stringify(index)}, { logger: false })`
  return spawn(process.execPath, ['-e', script], {
    cwd: join(__dirname, '..'),
    env: { ...process.env, DATABASE_URL: url },
    stdio: 'ignore',
  })
}
