import type { Knex } from 'knex'

import {
  addVectorColumn,
  backfillVectors,
  createVectorIndex,
  diffVectors,
  dropVectorIndex,
  dropPgvector,
  dropVectorColumn,
  ensurePgvector,
  estimateBackfill,
  findDependents,
  inspectPgvector,
  listVectorIndexes,
  migrateToLatest,
  forecastBuild,
  planVectorIndex,
  repairVectorIndexes,
  listIndexBuilds,
  upgradePgvector,
  vectorIndex,
  verifyPgvector,
} from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { sqlStateOf } from '../src/core/errors.ts'
import { explainLoss } from '../src/database/lost-connection.ts'
import { describeOnOneServer, describeOnServers, type TestDatabase } from './support/databases.ts'
import { createDocuments, embedding, indexesOf } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { phaseReached } from './support/phases.ts'
import { items, source } from './support/steps.ts'

const reset = { code: 'ECONNRESET', syscall: 'read', errno: -104 }

describe('an error of a connection that has ended', () => {
  test.each<[string, string, object]>([
    ['the driver, when the socket closes', 'Connection terminated unexpectedly', {}],
    ['Knex, behind the statement', 'select 1 as "a - b" - Connection terminated unexpectedly', {}],
    ['the driver, afterwards', 'Client has encountered a connection error and is not queryable', {}],
    ['the driver, after its own end', 'Client was closed and is not queryable', {}],
    ['Node, reading', 'read ECONNRESET', reset],
    ['Node, writing', 'write EPIPE', { code: 'EPIPE', syscall: 'write', errno: -32 }],
    ['Node, into a closed stream', 'Cannot call write after a stream was destroyed', { code: 'ERR_STREAM_DESTROYED' }],
    ['PostgreSQL, when an administrator ends it', 'terminating connection', { code: '57P01', severity: 'FATAL' }],
    ['PostgreSQL, when it waits too long', 'terminating connection', { code: '25P03', severity: 'FATAL' }],
    ['PgBouncer, when its server is gone', 'server conn crashed?', { code: '08P01', severity: 'FATAL' }],
  ])('is recognised, without the statement: %s', (_, message, fields) => {
    const cause = Object.assign(new Error(message), fields)
    expect(explainLoss(cause)).toMatchObject({
      code: 'CONNECTION_LOST',
      cause,
      details: { processId: null },
      message: expect.not.stringContaining('select'),
    })
  })

  test.each<[string, string, object]>([
    ['a server that is not there', 'connect ECONNREFUSED', { code: 'ECONNREFUSED', syscall: 'connect' }],
    ['a server that hangs up on the way in', 'connect ECONNRESET', { ...reset, syscall: 'connect' }],
    ['a server that another server cannot reach', 'could not connect', { code: '08001', severity: 'ERROR' }],
    ['a statement that fails', 'division by zero', { code: '22012', severity: 'ERROR' }],
    ['a transaction that is used after its commit', 'Transaction query already complete, run with DEBUG=…', {}],
    ['a word of the user', 'the Connection terminated early', {}],
  ])('is told from %s', (_, message, fields) => {
    const error = Object.assign(new Error(message), fields)
    expect(explainLoss(error)).toBe(error)
  })

  test('is recognised where Knex has ended its transaction with it', () => {
    const completed = new Error('Transaction query already complete, run with DEBUG=knex:tx for more info')
    const ended = { processID: 4711, __knex__disposed: new Error('Connection terminated unexpectedly') }
    expect(explainLoss(completed, ended)).toMatchObject({ code: 'CONNECTION_LOST', details: { processId: 4711 } })
    expect(explainLoss(completed, { processID: 4711 })).toBe(completed)
  })

  test('is not taken for an SQLSTATE where Node calls it EPIPE', () => {
    expect(sqlStateOf(Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' }))).toBeUndefined()
  })
})

interface RawConnection {
  readonly connection: { readonly stream: { destroy(error?: Error): void } }
}

/** A Knex instance that loses its connection at its first statement: before that is sent, or behind it. */
function cutAtFirst({ connect }: TestDatabase, how: 'before' | 'behind' | 'reset'): Knex {
  let connection: RawConnection | undefined
  const afterCreate = (created: RawConnection, done: (error: null, connection: unknown) => void): void => {
    connection = created
    done(null, created)
  }
  const knex = connect({ pool: { min: 1, max: 1, afterCreate } })
  const cut = (): void => {
    connection?.connection.stream.destroy(
      how === 'reset' ? Object.assign(new Error('read ECONNRESET'), reset) : undefined,
    )
  }
  knex.once('query', () => {
    if (how === 'before') cut()
    else setImmediate(cut)
  })
  return knex
}

const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2' })
const quiet = { logger: false } as const
const migrations = { migrationSource: source(items) }

const functions: Readonly<Record<string, (knex: Knex) => Promise<unknown>>> = {
  ensurePgvector: (knex) => ensurePgvector(knex, quiet),
  dropPgvector: (knex) => dropPgvector(knex, quiet),
  inspectPgvector: (knex) => inspectPgvector(knex),
  findDependents: (knex) => findDependents(knex),
  verifyPgvector: (knex) => verifyPgvector(knex),
  upgradePgvector: (knex) => upgradePgvector(knex, quiet),
  addVectorColumn: (knex) => addVectorColumn(knex, embedding),
  dropVectorColumn: (knex) => dropVectorColumn(knex, embedding),
  createVectorIndex: (knex) => createVectorIndex(knex, index, quiet),
  dropVectorIndex: (knex) => dropVectorIndex(knex, index, quiet),
  planVectorIndex: (knex) => planVectorIndex(knex, index),
  forecastBuild: (knex) => forecastBuild(knex, index),
  listVectorIndexes: (knex) => listVectorIndexes(knex),
  repairVectorIndexes: (knex) => repairVectorIndexes(knex, quiet),
  listIndexBuilds: (knex) => listIndexBuilds(knex),
  diffVectors: (knex) => diffVectors(knex, { columns: [embedding], indexes: [] }),
  backfillVectors: (knex) =>
    backfillVectors(knex, embedding, { read: ['note'], embed: () => Promise.resolve([]), ...quiet }),
  estimateBackfill: (knex) => estimateBackfill(knex, embedding, { read: ['note'] }),
  migrateToLatest: (knex) => migrateToLatest(knex, migrations),
  'createMigrator().status': (knex) => createMigrator(knex, migrations).status(),
  'createMigrator().history': (knex) => createMigrator(knex, migrations).history(),
  'createMigrator().up': (knex) => createMigrator(knex, migrations).up(),
  'createMigrator().down': (knex) => createMigrator(knex, migrations).down(),
  'createMigrator().rehearse': (knex) => createMigrator(knex, migrations).rehearse(),
  'createMigrator().losses': (knex) => createMigrator(knex, migrations).losses(),
  'createMigrator().adopt': (knex) => createMigrator(knex, migrations).adopt(),
  'createMigrator().unlock': (knex) => createMigrator(knex, migrations).unlock(),
}

describeOnOneServer('a connection that is lost', (database) => {
  test.each(
    Object.keys(functions).flatMap((name) =>
      (['before', 'behind', 'reset'] as const).map((how) => [name, how] as const),
    ),
  )('is CONNECTION_LOST from %s (%s the first statement)', async (name, how) => {
    const error = await expectError('CONNECTION_LOST', async () => functions[name]?.(cutAtFirst(database(), how)))
    expect(error.message).toMatch(/^The connection to backend PID \d+ was lost: [\w ]+$/)
  })

  test('is CONNECTION_LOST in a transaction of the caller, as often as it is used', async () => {
    const trx = await database().connect().transaction()
    const { rows } = await trx.raw('select pg_backend_pid() as pid')
    await database().knex.raw('select pg_terminate_backend(?, 10000)', [rows[0].pid])
    for (const attempt of [1, 2]) {
      const error = await expectError('CONNECTION_LOST', () => ensurePgvector(trx, quiet))
      expect({ attempt, message: error.message }).toMatchObject({ message: expect.not.stringContaining('select') })
    }
    await trx.rollback().catch(() => undefined)
  })
})

describeOnServers('a run whose connection is lost', (database) => {
  const cutIn = (transaction: boolean) => ({
    name: '002_cut',
    transaction,
    up: async (db: Knex) => {
      await db.raw(`select 'secret'`)
      const connection = (await db.client.acquireConnection()) as RawConnection
      connection.connection.stream.destroy()
      await db.client.releaseConnection(connection)
      await db.raw(`select 'secret'`)
    },
  })

  test.each([true, false])('says so behind the migration that failed (transaction: %s)', async (transaction) => {
    const migrator = createMigrator(database().connect(), { migrationSource: source(items, cutIn(transaction)) })
    const error = await expectError('MIGRATION_FAILED', () => migrator.up())
    expect(error.cause).toMatchObject({ code: 'CONNECTION_LOST', message: expect.not.stringContaining('secret') })
  })
})

describeOnServers('an index build whose connection is lost', (database) => {
  test('is CONNECTION_LOST, and the next run finishes it', async () => {
    const { knex, connect } = database()
    await createDocuments(knex, 2500)
    const connections: RawConnection[] = []
    const afterCreate = (created: RawConnection, done: (error: null, connection: unknown) => void): void => {
      connections.push(created)
      done(null, created)
    }
    const building = connect({ pool: { min: 1, max: 1, afterCreate } })
    const slow = vectorIndex(embedding, { method: 'hnsw', metric: 'l2', efConstruction: 400 })
    const build = expectError('CONNECTION_LOST', () => createVectorIndex(building, slow, quiet))
    const processId = await phaseReached(knex, 'loading tuples')
    connections[0]?.connection.stream.destroy()
    expect((await build).details).toMatchObject({ processId })
    await createVectorIndex(knex, slow, quiet)
    expect(await indexesOf(knex)).toMatchObject([{ isValid: true }])
  })
})
