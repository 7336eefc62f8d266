import { setTimeout as passed } from 'node:timers/promises'

import Knex from 'knex'

import { diagnose, type Finding } from '../src/doctor.ts'
import { ensurePgvector, migrateToLatest } from '../src/index.ts'
import { replicationNotes } from '../src/migrator/plan/replicated.ts'
import { createMigrator } from '../src/migrator.ts'
import { sourceOf } from './support/fleets.ts'
import { hasMachines, MACHINE_IMAGE, startMachine, type Machine } from './support/machine.ts'
import { silenceConsole } from './support/migrations.ts'

// A plan starts PostgreSQL in this process.
jest.setTimeout(120_000)
silenceConsole()
const describeWithMachines = hasMachines ? describe : describe.skip

const table = { '001_items': ['create table items (id int primary key)'] } as const
const column = {
  migrationSource: sourceOf({
    ...table,
    '002_embedding': [
      async (knex) => {
        await ensurePgvector(knex, { logger: false })
        await knex.raw('alter table items add column embedding vector(3)')
      },
      'alter table items drop column embedding',
    ],
  }),
}

/** Waits for something that another process does. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('it did not happen within 30 s')
    await passed(50)
  }
}

describeWithMachines(`a table that is replicated [${MACHINE_IMAGE}]`, () => {
  let machine: Machine | undefined
  const opened: Knex.Knex[] = []

  beforeAll(async () => {
    machine = await startMachine({ settings: ['wal_level=logical', 'wal_retrieve_retry_interval=1s'] })
  })

  afterEach(async () => {
    const knex = opened.at(1)
    await knex?.raw('alter subscription items_subscription disable')
    await knex?.raw('alter subscription items_subscription set (slot_name = none)')
    await knex?.raw('drop subscription items_subscription')
    await Promise.all(opened.splice(0).map((each) => each.destroy()))
  })

  afterAll(async () => {
    await machine?.stop()
  })

  /** Two databases of one server: one publishes the table `items`, the other subscribes to it. */
  const replicate = async (name: string): Promise<readonly [publisher: Knex.Knex, subscriber: Knex.Knex]> => {
    if (machine === undefined) throw new Error('the server did not start')
    const administrator = Knex({ client: 'pg', connection: machine.url() })
    await administrator.raw(`create database ${name}_publisher`)
    await administrator.raw(`create database ${name}_subscriber`)
    await administrator.destroy()
    const { username, password } = new URL(machine.url())
    const [publisher, subscriber] = ['publisher', 'subscriber'].map((role) =>
      Knex({ client: 'pg', connection: machine?.url(`${name}_${role}`) ?? '' }),
    ) as [Knex.Knex, Knex.Knex]
    opened.push(publisher, subscriber)
    for (const knex of [publisher, subscriber]) await migrateToLatest(knex, { migrationSource: sourceOf(table) })
    await publisher.raw('create publication items_publication for table items')
    // With one server, CREATE SUBSCRIPTION would wait for itself if it made the slot.
    await publisher.raw(`select pg_create_logical_replication_slot('${name}', 'pgoutput')`)
    await subscriber.raw(`create subscription items_subscription
      connection 'host=127.0.0.1 port=5432 user=${username} password=${password} dbname=${name}_publisher'
      publication items_publication with (create_slot = false, slot_name = '${name}', copy_data = false)`)
    return [publisher, subscriber]
  }

  const arrived = (subscriber: Knex.Knex, id: number) => async (): Promise<boolean> =>
    (await subscriber('items').where({ id })).length > 0
  const replication = async (knex: Knex.Knex): Promise<Finding[]> =>
    (await diagnose(knex, column)).filter(({ check }) => check === 'replication')

  test('gets a new column on the subscriber first, as plan and doctor say', async () => {
    const [publisher, subscriber] = await replicate('good')
    const planned = await createMigrator(publisher, column).plan()
    expect(planned.notes).toContain(
      '002_embedding adds a column to public.items, which (items_publication) is published: apply it on every subscriber ' +
        'first, with pgvector enabled there if the column needs it. A row with a column that the subscriber lacks stops its apply worker.',
    )
    expect(await replication(publisher)).toEqual([
      {
        level: 'ok',
        check: 'replication',
        message: 'sent to subscribers: public.items (items_publication)',
        next: 'Add a column on every subscriber before you add it here, and drop it here first. A subscriber needs pgvector for a vector column.',
      },
    ])
    expect((await replication(subscriber)).map(({ message }) => message)).toEqual([
      'filled from a publisher: public.items (items_subscription)',
    ])
    await migrateToLatest(subscriber, column)
    await migrateToLatest(publisher, column)
    await publisher('items').insert({ id: 1, embedding: '[1,2,3]' })
    await until(arrived(subscriber, 1))
    expect(await subscriber('items')).toEqual([{ id: 1, embedding: '[1,2,3]' }])
  })

  test('stops its subscriber if the publisher is first, until the subscriber follows', async () => {
    const [publisher, subscriber] = await replicate('bad')
    await migrateToLatest(publisher, column)
    await publisher('items').insert({ id: 1, embedding: '[1,2,3]' })
    const reports = (knex: Knex.Knex, level: string, message: string) => async (): Promise<boolean> =>
      (await replication(knex)).some((finding) => finding.level === level && finding.message === message)
    const stopped = 'the subscription items_subscription is enabled, and its apply worker is not running'
    await until(reports(subscriber, 'error', stopped))
    const waiting = 'no subscriber is connected to the replication slot bad, and the server keeps its WAL until one is'
    await until(reports(publisher, 'warning', waiting))
    await migrateToLatest(subscriber, column)
    await until(arrived(subscriber, 1))
    expect(await subscriber('items')).toEqual([{ id: 1, embedding: '[1,2,3]' }])
  })
})

describe('the notes of a plan for replicated tables', () => {
  const items = { schema: 'public', table: 'items', label: 'public.items', names: ['p'] }
  const nothing = { published: [], publishesAll: [], subscribed: [], stopped: [], unused: [] }
  const notesOf = (sql: string, replication: Partial<Parameters<typeof replicationNotes>[1]>): string[] =>
    replicationNotes([{ name: '002', transactional: true, statements: [{ sql, privileged: false }] }], {
      ...nothing,
      ...replication,
    })

  test.each([
    ['alter table items add column e vector(3)', 'adds'],
    ['ALTER TABLE IF EXISTS ONLY "public"."items" add e vector(3)', 'adds'],
    ['alter table items alter column a set not null, drop column e', 'drops'],
    ['alter table items rename column a to b', 'renames'],
    ['alter table items rename a to b', 'renames'],
  ])('see that %s %s a column', (sql, change) => {
    expect(notesOf(sql, { published: [items] })).toEqual([
      expect.stringMatching(new RegExp(`^002 ${change} a column (of|to) public.items`)),
    ])
    expect(notesOf(sql, { subscribed: [items] })).toEqual([expect.stringContaining('is subscribed to')])
  })

  test.each([
    'alter table items add constraint c check (add > 0, drop)',
    'alter table items add check (a > 0)',
    'alter table items drop constraint c',
    'alter table items rename to things',
    'alter table other.items add column e vector(3)',
    'alter table items alter column a type numeric(1, 2)',
    'create table other (id int)',
  ])('are silent about %s', (sql) => {
    expect(notesOf(sql, { published: [items] })).toEqual([])
  })

  test('name a new table where all tables are published', () => {
    expect(notesOf('create table other (id int)', { publishesAll: ['everything'] })).toEqual([
      expect.stringContaining('everything publishes all tables'),
    ])
  })
})
