import { correctionFor, type UsedSequence } from '../src/migrator/rehearse/sequences.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { everything } from './support/everything.ts'
import { items, migratorOf, states } from './support/steps.ts'

describeOnEveryDatabase('rehearse and sequences', (database) => {
  test('puts the sequences that it used back where they stood', async () => {
    const { knex } = database()
    const migrator = await migratorOf(
      knex,
      [
        items,
        {
          name: '002_sequences',
          up: `create table fresh (id int generated always as identity); create sequence "Down?" increment -2`.replace(
            '?',
            '\\?',
          ),
        },
      ],
      {
        name: '003_rows',
        up: async (trx) => {
          await trx.raw(`insert into items (title) select 'x' from generate_series(1, 100)`)
          await trx.raw('insert into fresh default values')
          await trx
            .transaction((savepoint) => savepoint.raw(`select nextval('"Down\\?"'); select 1 / 0`))
            .catch(() => undefined)
        },
      },
      { name: '004_fails', up: `insert into items (title) values ('y'); select 1 / 0` },
    )
    const before = await everything(knex)
    const rehearsal = await migrator.rehearse()
    expect(states(rehearsal)).toEqual(['003_rows rehearsed', '004_fails failed'])
    expect(rehearsal.warnings).toEqual([])
    expect(await everything(knex)).toEqual(before)
    const { rows } = await knex.raw(`insert into fresh default values returning id`)
    expect(rows).toEqual([{ id: 1 }])
  })

  test('puts a sequence forward again that a migration sets back', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_reset',
      up: `delete from items; select setval('items_id_seq', 1, false)`,
    })
    const { warnings } = await migrator.rehearse()
    expect(warnings).toEqual([
      'A migration sets the sequence public.items_id_seq back, which a rollback does not reverse; it was set to 2 again.',
    ])
    await knex('items').insert({ title: 'next' })
    expect(await knex('items').orderBy('id').pluck('id')).toEqual([1, 2, 3])
  })

  test('puts a sequence forward again that a migration sets back and then drops', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_drop',
      up: `select setval('items_id_seq', 1, false); drop table items`,
    })
    const { warnings } = await migrator.rehearse()
    expect(warnings).toEqual([
      'A migration sets the sequence public.items_id_seq back, which a rollback does not reverse; it was set to 2 again.',
    ])
    await knex('items').insert({ title: 'next' })
    expect(await knex('items').orderBy('id').pluck('id')).toEqual([1, 2, 3])
  })

  test.each([
    ['once', `alter sequence drawn restart with 500; select nextval('drawn')`],
    ['twice', `alter sequence drawn restart with 500; select nextval('drawn'); alter sequence drawn restart with 900`],
  ])('tells where a sequence stands that a migration draws from and restarts %s', async (_, restarts) => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [{ name: '001_drawn', up: 'create sequence drawn' }], {
      name: '002_restart',
      up: `select nextval('drawn'); select nextval('drawn'); ${restarts}`,
    })
    const { warnings } = await migrator.rehearse()
    const { rows } = await knex.raw(`select pg_sequence_last_value('drawn') as last`)
    expect(rows).toEqual([{ last: '2' }])
    expect(warnings).toEqual([
      'The sequence public.drawn went from its start to 2, which a rollback does not reverse: its next values leave a gap.',
    ])
  })

  test('leaves a sequence whose values may be in other hands, and says that there is a gap', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [{ name: '001_cached', up: 'create sequence cached cache 10' }], {
      name: '002_draw',
      up: `select nextval('cached')`,
    })
    expect((await migrator.rehearse()).warnings).toEqual([
      'The sequence public.cached went from its start to 10, which a rollback does not reverse: its next values leave a gap.',
    ])
  })
})

describeOnServers('rehearse and sequences that others use', (database) => {
  test('keeps a sequence from which others have drawn meanwhile', async () => {
    const { knex, connect } = database()
    const other = connect()
    const migrator = await migratorOf(knex, [items], {
      name: '002_rows',
      up: async (trx) => {
        await trx.raw(`insert into items (title) values ('rehearsed')`)
        await other.raw(`insert into items (title) values ('real')`)
        await trx.raw(`insert into items (title) values ('rehearsed')`)
      },
    })
    const { warnings } = await migrator.rehearse()
    expect(warnings).toEqual([
      'The sequence public.items_id_seq went from 2 to 5, which a rollback does not reverse: its next values leave a gap.',
    ])
    await knex('items').insert({ title: 'next' })
    expect(await knex('items').orderBy('id').pluck('id')).toEqual([1, 2, 4, 6])
  })

  test('keeps a sequence from which others draw in an open transaction', async () => {
    const { knex, connect } = database()
    const other = await connect().transaction()
    const migrator = await migratorOf(knex, [items], {
      name: '002_rows',
      up: async (trx) => {
        await trx.raw(`insert into items (title) values ('rehearsed')`)
        await other.raw(`insert into items (title) values ('real')`)
      },
    })
    const { warnings } = await migrator.rehearse({ lockTimeout: 100 })
    await other.commit()
    expect(warnings).toHaveLength(1)
    expect(await knex('items').orderBy('id').pluck('id')).toEqual([1, 2, 4])
  })
})

describe('a sequence after a rehearsal', () => {
  const used = (last: string | null, left: string | null, looks: number, step = '1', cache = '1'): UsedSequence => ({
    before: { oid: 1, name: 'public.s', owner: 'me', last, start: '1', step, cache, cycles: false },
    left,
    looks,
  })

  test.each([
    ['was only looked at', used('7', '7', 1), '7', 'none'],
    ['gave its values to the rehearsal alone', used('7', '10', 3), '10', 'rewind'],
    ['gave its first values to the rehearsal alone', used(null, '3', 3), '3', 'rewind'],
    ['counts down', used('7', '1', 3, '-2'), '1', 'rewind'],
    ['is beyond what JavaScript counts', used('9007199254740993', '9007199254740994', 1), '9007199254740994', 'rewind'],
    ['gave a value to somebody else too', used('7', '11', 3), '11', 'leave'],
    ['gave a value to somebody else afterwards', used('7', '10', 3), '11', 'leave'],
    ['keeps values ahead', used('10', '20', 1, '1', '10'), '20', 'leave'],
    ['was set forward', used('7', '100', 1), '100', 'leave'],
    ['was set back', used('7', '2', 1), '2', 'advance'],
    ['counts down and was set back', used('7', '9', 1, '-1'), '9', 'advance'],
  ] as const)('that %s', (_, sequence, current, correction) => {
    expect(correctionFor(sequence, current)).toBe(correction)
  })
})
