import Knex from 'knex'

import { diagnose } from '../src/doctor.ts'
import { explainCitus } from '../src/database/citus-errors.ts'
import { assessNodes } from '../src/extension/cluster/assess-nodes.ts'
import type { ClusterNode } from '../src/extension/cluster/nodes.ts'
import {
  dropPgvector,
  ensurePgvector,
  migrateToLatest,
  nearestRows,
  vectorIndex,
  verifyPgvector,
  withSearchOptions,
} from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { createDocuments, embedding } from './support/documents.ts'
import { startStandIn, type NodeName, type StandIn } from './support/citus.ts'
import { expectError } from './support/expect-error.ts'
import { sourceOf, twoTables } from './support/fleets.ts'
import { hasMachines, MACHINE_IMAGE } from './support/machine.ts'
import { statementsOf } from './support/recorder.ts'

const silent = { logger: false, log: false } as const
const describeWithMachines = hasMachines ? describe : describe.skip
const nodes = ['coordinator', 'worker1', 'worker2'] as const

describeWithMachines(`a Citus cluster [a stand-in of three servers, ${MACHINE_IMAGE}]`, () => {
  let standIn: StandIn | undefined
  let databases = 0
  let database = ''
  const opened: Knex.Knex[] = []

  const cluster = (): StandIn => {
    if (standIn === undefined) throw new Error('the stand-in did not start')
    return standIn
  }
  const connect = (node: NodeName = 'coordinator', role?: string): Knex.Knex => {
    const url = new URL(cluster().url(node, database))
    if (role !== undefined) Object.assign(url, { username: role, password: role })
    const knex = Knex({ client: 'pg', connection: url.href })
    opened.push(knex)
    return knex
  }
  const versions = async (): Promise<(string | null)[]> =>
    Promise.all(
      nodes.map(async (node) => {
        const { rows } = await connect(node).raw(`select extversion from pg_extension where extname = 'vector'`)
        return rows[0]?.extversion ?? null
      }),
    )
  const newest = async (): Promise<string> => {
    const { rows } = await connect().raw(`select default_version from pg_available_extensions where name = 'vector'`)
    return rows[0].default_version
  }
  const address = (node: NodeName): string => `127.0.0.1:${5432 + nodes.indexOf(node)}`

  beforeAll(async () => {
    standIn = await startStandIn()
  }, 60_000)

  beforeEach(async () => {
    database = `cluster_${++databases}`
    await cluster().createDatabase(database)
  })

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((knex) => knex.destroy()))
    for (const node of nodes) await cluster().giveFiles(node, 'all')
  })

  afterAll(async () => {
    await standIn?.end()
  })

  test('gets pgvector on every node, and then no statement that changes anything', async () => {
    const knex = connect()
    const version = await newest()
    expect(await ensurePgvector(knex, silent)).toMatchObject({ status: 'created', version })
    expect(await versions()).toEqual([version, version, version])
    const sent = await statementsOf(knex, async () => {
      expect((await ensurePgvector(knex, silent)).status).toBe('unchanged')
    })
    expect(sent.filter((sql) => /\b(create|alter|set local citus)\b/.test(sql))).toEqual([])
    await verifyPgvector(knex)
  })

  test('is repaired where only the coordinator has it', async () => {
    const knex = connect()
    await knex.raw(
      'set citus.enable_ddl_propagation = off; create extension vector; reset citus.enable_ddl_propagation',
    )
    await expectError('CITUS_NODES_NOT_READY', () => verifyPgvector(knex))
    const findings = await diagnose(knex)
    expect(findings.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      `the Citus node ${address('worker1')} has no pgvector instead of ${await newest()}`,
      `the Citus node ${address('worker2')} has no pgvector instead of ${await newest()}`,
    ])
    expect((await ensurePgvector(knex, silent)).status).toBe('updated')
    expect(await versions()).toEqual(Array(3).fill(await newest()))
    await verifyPgvector(knex)
    const message = `every node of the Citus cluster has pgvector ${await newest()}: ${nodes.map(address).join(', ')}`
    expect(await diagnose(knex)).toContainEqual({ level: 'ok', check: 'extension', message })
  })

  test('is repaired where only a worker has it', async () => {
    await connect('worker2').raw('create extension vector')
    expect((await ensurePgvector(connect(), silent)).status).toBe('created')
    expect(await versions()).toEqual(Array(3).fill(await newest()))
  })

  test('gets the newest version that every node has, where one has an old release', async () => {
    for (const node of nodes) await cluster().giveFiles(node, '0.7.4')
    expect(await ensurePgvector(connect(), silent)).toMatchObject({ status: 'created', version: '0.7.4' })
    expect(await versions()).toEqual(['0.7.4', '0.7.4', '0.7.4'])
  })

  test('is refused before any change, and the node is named, where one is too old', async () => {
    await cluster().giveFiles('worker1', '0.7.4')
    const error = await expectError('CITUS_NODES_NOT_READY', () => ensurePgvector(connect(), silent))
    const problem = `has the files of pgvector 0.7.4, and not those of ${await newest()}`
    expect(error.details.problems).toEqual([{ node: address('worker1'), problem }])
    expect(await versions()).toEqual([null, null, null])
  })

  test('is refused before any change, and the node is named, where one has no files', async () => {
    await cluster().giveFiles('worker2', 'none')
    const error = await expectError('CITUS_NODES_NOT_READY', () => ensurePgvector(connect(), silent))
    expect(error.details.problems).toEqual([{ node: address('worker2'), problem: 'has no files of pgvector' }])
    expect(await versions()).toEqual([null, null, null])
  })

  test('is not fine where a worker has another version, which the coordinator alone does not show', async () => {
    await ensurePgvector(connect(), silent)
    await connect('worker1').raw('drop extension vector')
    await cluster().giveFiles('worker1', '0.7.4')
    await connect('worker1').raw('create extension vector')
    const error = await expectError('CITUS_NODES_NOT_READY', () => ensurePgvector(connect(), silent))
    expect(error.details.problems.map(({ node }) => node)).toEqual([address('worker1')])
    const found = (await diagnose(connect())).find(({ level }) => level === 'error')
    expect(found?.message).toBe(`the Citus node ${address('worker1')} has 0.7.4 pgvector instead of ${await newest()}`)
  })

  test('names a node that cannot be reached', async () => {
    await ensurePgvector(connect(), silent)
    await cluster().stop('worker2')
    try {
      const error = await expectError('CITUS_NODES_NOT_READY', () => ensurePgvector(connect(), silent))
      const problem = `cannot be reached: failed to connect to ${address('worker2')}`
      expect(error.details.problems).toEqual([{ node: address('worker2'), problem }])
      expect((await diagnose(connect())).map(({ message }) => message)).toContain(
        `the Citus node ${address('worker2')} ${problem}`,
      )
    } finally {
      await cluster().start('worker2')
    }
  })

  test('refuses a change on a worker, and says where the coordinator is', async () => {
    const error = await expectError('CITUS_WORKER', () => ensurePgvector(connect('worker1'), silent))
    expect(error.details).toEqual({ coordinator: address('coordinator') })
    await ensurePgvector(connect(), silent)
    const { status, warnings } = await ensurePgvector(connect('worker1'), silent)
    expect({ status, warning: warnings[0] }).toEqual({
      status: 'unchanged',
      warning: expect.stringContaining('worker of a Citus cluster') as string,
    })
    await expectError('CITUS_WORKER', () => dropPgvector(connect('worker1'), silent))
    await expectError('CITUS_WORKER', () =>
      migrateToLatest(connect('worker1'), { migrationSource: sourceOf(twoTables) }),
    )
    expect((await diagnose(connect('worker1'))).map(({ message }) => message)).toContain(
      'this server is a worker of a Citus cluster: migrations and most checks belong on the coordinator',
    )
  })

  test('is enabled in the transaction of a migration', async () => {
    await connect().transaction(async (trx) => {
      expect((await ensurePgvector(trx, silent)).status).toBe('created')
      const { status, warnings } = await ensurePgvector(trx, silent)
      expect({ status, warnings: warnings.filter((each) => each.includes('other nodes')).length }).toEqual({
        status: 'unchanged',
        warnings: 1,
      })
    })
    expect(await versions()).toEqual(Array(3).fill(await newest()))
  })

  test('is enabled once by four sessions at once', async () => {
    const results = await Promise.all([1, 2, 3, 4].map(() => ensurePgvector(connect(), silent)))
    expect(results.map(({ status }) => status).toSorted()).toEqual(['created', 'unchanged', 'unchanged', 'unchanged'])
  })

  test('is searched with settings that reach the shards, and are put back in a transaction', async () => {
    const knex = connect()
    await createDocuments(knex, 300)
    await knex.raw('create index on documents using hnsw (embedding vector_l2_ops)')
    const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2' })
    const search = (db: Knex.Knex): Promise<{ readonly rows: readonly unknown[] }> =>
      nearestRows(db, index, Array(16).fill(0.5), { limit: 200, columns: ['id'] })
    await search(knex)
    const sent = await statementsOf(knex, async () => {
      expect((await search(knex)).rows).toHaveLength(200)
    })
    expect(sent).toContainEqual(
      "set local citus.propagate_set_commands to 'local';\nset local hnsw.ef_search to '200';\nset local hnsw.iterative_scan to 'relaxed_order'",
    )
    await knex.transaction(async (trx) => {
      const efSearch = async (): Promise<string> => (await trx.raw('show hnsw.ef_search')).rows[0]['hnsw.ef_search']
      expect((await search(trx)).rows).toHaveLength(200)
      expect(await efSearch()).toBe('40')
      await withSearchOptions(trx, { efSearch: 77 }, async () => {
        expect(await efSearch()).toBe('77')
      })
      expect(await efSearch()).toBe('40')
    })
  })

  test('is planned with functions of Citus that do nothing, and are named', async () => {
    const knex = connect()
    const migrationSource = sourceOf({
      '001_items': ["create table items (id int); select create_distributed_table('items', 'id', shard_count => 8)"],
    })
    const { notes } = await createMigrator(knex, { migrationSource }).plan()
    expect(notes).toContainEqual(
      expect.stringMatching(/^001_items calls create_distributed_table: a function of Citus/),
    )
  }, 60_000)

  test('loses pgvector on every node when it is dropped', async () => {
    const knex = connect()
    await ensurePgvector(knex, silent)
    await dropPgvector(knex, { ...silent, onlyOurs: false })
    expect(await versions()).toEqual([null, null, null])
  })
})

const url = process.env['CITUS_DATABASE_URL'] ?? ''

;(url === '' ? describe.skip : describe)('a real Citus cluster [CITUS_DATABASE_URL]', () => {
  test('gets pgvector on every node', async () => {
    const knex = Knex({ client: 'pg', connection: url })
    try {
      await ensurePgvector(knex, silent)
      expect((await ensurePgvector(knex, silent)).status).toBe('unchanged')
      await verifyPgvector(knex)
      const messages = (await diagnose(knex)).map(({ message }) => message)
      expect(messages).toContainEqual(expect.stringMatching(/^every node of the Citus cluster has pgvector /))
    } finally {
      await knex.destroy()
    }
  })
})

describe('the decision about the nodes of a cluster', () => {
  const node = (name: string, installed: string | null, available: readonly string[]): ClusterNode => ({
    node: name,
    isCoordinator: name === 'c',
    isReached: true,
    state: { installed, available },
  })
  const decide = (answers: readonly ClusterNode[], installed: string | null, wanted: string | null): string => {
    const plan = assessNodes(answers, { installed, wanted, minimum: '0.5.0' })
    if (plan.action === 'refuse') return plan.error.message.split('\n').slice(1).join('; ')
    return plan.action === 'none' ? 'none' : plan.version
  }

  test.each([
    ['all are equal', [node('c', '0.8.6', ['0.8.6']), node('w', '0.8.6', [])], '0.8.6', null, 'none'],
    ['a worker lacks it', [node('c', '0.8.6', ['0.8.6']), node('w', null, ['0.8.6'])], '0.8.6', null, '0.8.6'],
    [
      'a worker is newer',
      [node('c', '0.7.4', ['0.7.4', '0.8.6']), node('w', '0.8.6', ['0.7.4', '0.8.6'])],
      '0.7.4',
      null,
      '0.8.6',
    ],
    [
      'a worker has only an old release',
      [node('c', null, ['0.7.4', '0.8.6']), node('w', null, ['0.7.4'])],
      null,
      '0.8.6',
      '0.7.4',
    ],
    [
      'nothing is common',
      [node('c', null, ['0.8.6']), node('w', null, ['0.7.4'])],
      null,
      '0.8.6',
      '- w has the files of pgvector 0.7.4, and not those of 0.8.6',
    ],
    [
      'an update is wanted',
      [node('c', '0.7.4', ['0.7.4', '0.8.6']), node('w', '0.7.4', ['0.7.4', '0.8.6'])],
      '0.7.4',
      '0.8.6',
      '0.8.6',
    ],
  ] as const)('where %s', (_title, answers, installed, wanted, decided) => {
    expect(decide(answers, installed, wanted)).toBe(decided)
  })
})

describe('an error that Citus reported', () => {
  const recorded = (message: string, where?: string): Error =>
    Object.assign(new Error(message), { code: 'XX000', where })

  test('on a worker is explained', () => {
    expect(explainCitus(recorded('operation is not allowed on this node'))).toMatchObject({
      code: 'CITUS_WORKER',
      sqlState: 'XX000',
    })
  })

  test('after a statement on many connections is explained, with its node', () => {
    const message =
      'cannot run extension command because there was a parallel operation on a distributed table in the transaction'
    expect(explainCitus(recorded(message, 'while executing command on 127.0.0.1:55602'))).toMatchObject({
      code: 'CITUS_REFUSED',
      details: { problem: message, node: '127.0.0.1:55602' },
    })
    const other =
      'cannot execute DDL on table "ref" because there was a parallel DDL access to distributed table "items"'
    expect(explainCitus(recorded(other))).toMatchObject({ code: 'CITUS_REFUSED', details: { node: null } })
  })

  test('of another kind passes unchanged', () => {
    const error = recorded('cache lookup failed for relation 1')
    expect(explainCitus(error)).toBe(error)
  })
})
