import { copyVectors, ensurePgvector, readVectors, toBinary, type CopyEvent } from '../src/index.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'

const TABLE = `
  create table documents (
    small smallint, number int, big bigint, part real, whole double precision, body text, title varchar(20), key uuid,
    is_open boolean, at timestamptz, local_at timestamp, day date, facts jsonb, raw json, bytes bytea,
    a vector(3), b halfvec(3), c sparsevec(4), d bit(3), e varbit
  )`
const COLUMNS = [
  'small',
  'number',
  'big',
  'part',
  'whole',
  'body',
  'title',
  'key',
  'is_open',
  'at',
  'local_at',
  'day',
  'facts',
  'raw',
  'bytes',
  'a',
  'b',
  'c',
  'd',
  'e',
] as const

const full = {
  small: -3,
  number: 70_000,
  big: '9007199254740993',
  part: 0.1,
  whole: 1 / 3,
  body: `it's "ä🐘"\n\\N`,
  title: '',
  key: '0f8fad5b-d9cb-469f-a165-70867728950e',
  is_open: true,
  at: new Date('2026-07-01T12:34:56.789Z'),
  local_at: new Date(1999, 1, 28, 23, 59, 59, 999),
  day: new Date(1969, 11, 31),
  facts: { a: [1, null, '?'] },
  raw: 'text',
  bytes: Buffer.from([0, 92, 255]),
  a: new Float32Array([0.5, -2, 1e-7]),
  b: new Float32Array([0.5, -2, 65_504]),
  c: { dimensions: 4, indices: [1, 3], values: [0.5, -2] },
  d: '101',
  e: '1',
}
const empty = Object.fromEntries(COLUMNS.map((column) => [column, null])) as Record<keyof typeof full, null>

describeOnEveryDatabase('copyVectors', (database) => {
  beforeEach(async () => {
    await ensurePgvector(database().knex, { logger: false })
    await database().knex.raw(TABLE)
  })

  test('stores values of every type as an insert of Knex does, and nulls', async () => {
    const { knex } = database()
    expect(await copyVectors(knex, 'documents', COLUMNS, [full, empty])).toMatchObject({ rows: 2 })
    await knex('documents').insert({
      ...full,
      facts: JSON.stringify(full.facts),
      raw: JSON.stringify(full.raw),
      a: toBinary('vector', full.a),
      b: toBinary('halfvec', full.b),
      c: toBinary('sparsevec', full.c),
    })
    await knex('documents').insert({})
    const rows = await knex('documents').orderBy('small')
    expect(rows).toHaveLength(4)
    expect(rows[0]).toEqual(rows[1])
    expect(rows[2]).toEqual(rows[3])
    expect(rows[0]).not.toEqual(rows[2])
  })

  test('reads back what it stored', async () => {
    const { knex } = database()
    await copyVectors(knex, 'documents', COLUMNS, [full, empty])
    const rows = await collected(readVectors(knex, 'documents', COLUMNS))
    expect(rows).toEqual([full, empty])
    expect(await collected(readVectors(knex, 'documents', ['a'], { where: 'number > 1' }))).toEqual([{ a: full.a }])
  })

  test('names the row and the column of a value that cannot be stored, and stores nothing', async () => {
    const { knex } = database()
    const rows = [...Array.from({ length: 1200 }, () => full), { ...full, a: [1, 2] }]
    const { details, message } = await expectError('COPY_FAILED', () => copyVectors(knex, 'documents', COLUMNS, rows))
    expect(details).toEqual({
      table: 'documents',
      row: 1201,
      column: 'a',
      problem: 'has 2 dimensions, but the column has 3',
    })
    expect(message).toBe('Row 1201 could not be copied into documents: a has 2 dimensions, but the column has 3')
    expect(await knex('documents').select()).toEqual([])
  })

  test('names the row that the server refuses, and stores nothing', async () => {
    const { knex } = database()
    await knex.raw('create unique index on documents (number)')
    const rows = Array.from({ length: 900 }, (_, number) => ({ number: number === 700 ? 3 : number }))
    const { details, sqlState } = await expectError('COPY_FAILED', () =>
      copyVectors(knex, 'documents', ['number'], rows),
    )
    expect(details).toMatchObject({ table: 'documents', row: 701, problem: expect.stringContaining('duplicate key') })
    expect(sqlState).toBe('23505')
    expect(await knex('documents').select()).toEqual([])
  })

  test.each([
    ['small', 32_768, 'must be a whole number from -32768 to 32767'],
    ['number', 1.5, 'must be a whole number from -2147483648 to 2147483647'],
    ['big', 2 ** 53, 'must be a whole number; beyond 2^53, a bigint or its text'],
    ['big', 2n ** 63n, 'must be a whole number of 64 bits'],
    ['part', 1e39, 'is 1e+39, which is out of range'],
    ['whole', '1', 'must be a number'],
    ['body', 5, 'must be a text'],
    ['title', 'a\0', 'has a zero byte, which a text cannot hold'],
    ['title', 'longer than twenty letters', 'value too long for type character varying(20)'],
    ['key', '0f8fad5b', 'must be a uuid'],
    ['is_open', 'true', 'must be true or false'],
    ['at', '2026-07-01', 'must be a Date, or text like 2026-01-31T12:00:00.123456Z'],
    ['at', new Date(Number.NaN), 'must be a Date, or text like 2026-01-31T12:00:00.123456Z'],
    ['local_at', '2026-07-01T12:00:00Z', 'must be a Date, or text like 2026-01-31T12:00:00.123456'],
    ['day', '2026-02-30', 'must be a Date, or text like 2026-01-31'],
    ['facts', 5n, 'cannot be written as JSON: Do not know how to serialize a BigInt'],
    ['facts', () => 5, 'must be a value that JSON has'],
    ['bytes', 'text', 'must be a Buffer or a Uint8Array'],
    ['a', [1, Number.NaN, 3], 'element 2 is NaN, which a vector cannot hold'],
    ['a', Buffer.from([0, 3, 0, 0]), 'must be a list of numbers, or text like [1,2,3]'],
    ['b', [1, 2, 65_520], 'element 3 is 65520, which a halfvec cannot hold'],
    ['c', '{5:1}/4', 'element 5 is not one of its 4'],
    ['d', '01', 'has 2 dimensions, but the column has 3'],
    ['body', undefined, 'is undefined. Pass null to store no value, or omit the column for its default'],
  ])('refuses what column %s cannot store (%#)', async (column, value, problem) => {
    const { knex } = database()
    const { details } = await expectError('COPY_FAILED', () =>
      copyVectors(knex, 'documents', [column], [{ [column]: value }]),
    )
    expect(details).toMatchObject({ row: 1, problem })
    expect(await knex('documents').select()).toEqual([])
  })

  test('reads times as text to the microsecond, and their ends as infinity', async () => {
    const { knex } = database()
    await copyVectors(
      knex,
      'documents',
      ['at', 'local_at', 'day'],
      [
        { at: '2026-07-01 12:00:00.123456+02', local_at: '0099-02-28T23:59:59.000001', day: '2024-02-29' },
        { at: Infinity, local_at: -Infinity, day: Infinity },
      ],
    )
    const found = await knex('documents').select(
      knex.raw("to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as at"),
      knex.raw("to_char(local_at, 'YYYY-MM-DD HH24:MI:SS.US') as local_at"),
      knex.raw('day::text as day'),
    )
    expect(found).toEqual([
      { at: '2026-07-01 10:00:00.123456', local_at: '0099-02-28 23:59:59.000001', day: '2024-02-29' },
      expect.objectContaining({ day: 'infinity' }),
    ])
    expect((await collected(readVectors(knex, 'documents', ['at', 'local_at', 'day'])))[1]).toEqual({
      at: Infinity,
      local_at: -Infinity,
      day: Infinity,
    })
  })

  test('refuses columns that cannot be copied, with what to do instead', async () => {
    const { knex } = database()
    await knex.raw(
      'create table odd (id int, tags text[], price numeric, twice int generated always as (id * 2) stored)',
    )
    const { details } = await expectError('INVALID_OPTIONS', () =>
      copyVectors(knex, 'odd', ['id', 'tags', 'price', 'twice', 'none'], []),
    )
    const instead = "a type that is not copied in binary. Omit it, or use Knex's batchInsert for these rows"
    expect(details.problems).toEqual([
      `columns: tags is text[], ${instead}`,
      `columns: price is numeric, ${instead}`,
      'columns: twice is generated, so no value is stored in it',
      'columns: the table has no column none',
    ])
    await expectError('INVALID_OPTIONS', () => collected(readVectors(knex, 'odd', ['tags'])))
    expect(await collected(readVectors(knex, 'odd', ['twice']))).toEqual([])
    await expectError('RELATION_NOT_FOUND', () => copyVectors(knex, 'nowhere', ['id'], []))
    await expectError('INVALID_OPTIONS', () => copyVectors(knex, 'odd', [], []))
    await expectError('INVALID_OPTIONS', () => copyVectors(knex, 'odd', ['id', 'id'], []))
    await expectError('INVALID_OPTIONS', () => copyVectors(knex, 'odd', ['id'], 5 as never))
    await expectError('INVALID_OPTIONS', () => copyVectors(knex, 'odd', ['id'], [], { schem: 'a' } as object))
  })

  test('stores given values of identity columns and defaults of omitted columns, in another schema with quoted names', async () => {
    const { knex } = database()
    await knex.raw(`create schema "my schema"; create table "my schema"."a ""table\\?" (
      id int generated always as identity, "Body text\\?" text, made text default 'by default')`)
    const rows = [{ id: 7, 'Body text?': 'x', other: 1 }]
    await copyVectors(knex, 'a "table?', ['id', 'Body text?'], rows, { schema: 'my schema' })
    const found = await collected(readVectors(knex, 'a "table?', ['id', 'Body text?', 'made'], { schema: 'my schema' }))
    expect(found).toEqual([{ id: 7, 'Body text?': 'x', made: 'by default' }])
  })

  test('uses the names of columns as the application writes them', async () => {
    const { knex } = database()
    const camel = Object.assign(knex.withUserParams({}), {})
    camel.client.config = {
      ...knex.client.config,
      wrapIdentifier: (name: string, wrap: (name: string) => string) =>
        wrap(name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
    }
    await copyVectors(camel, 'documents', ['isOpen'], [{ isOpen: true }])
    expect(await collected(readVectors(camel, 'documents', ['isOpen']))).toEqual([{ isOpen: true }])
  })

  test('belongs to the transaction that it is given', async () => {
    const { knex } = database()
    const trx = await knex.transaction()
    await copyVectors(trx, 'documents', ['number'], [{ number: 1 }])
    expect(await collected(readVectors(trx, 'documents', ['number']))).toEqual([{ number: 1 }])
    expect(await first(readVectors(trx, 'documents', ['number']))).toEqual({ number: 1 })
    await trx.rollback()
    expect(await knex('documents').select()).toEqual([])
  })

  test('leaves the transaction that it is given usable when it fails', async () => {
    const { knex } = database()
    await knex.transaction(async (trx) => {
      await copyVectors(trx, 'documents', ['number'], [{ number: 1 }])
      const wrong = Array.from({ length: 700 }, (_, number) => ({ number: number === 650 ? 0.5 : number }))
      const error: unknown = await copyVectors(trx, 'documents', ['number'], wrong).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'COPY_FAILED', details: { row: 651 } })
      await copyVectors(trx, 'documents', ['number'], [{ number: 2 }])
    })
    expect(await knex('documents').orderBy('number').pluck('number')).toEqual([1, 2])
  })

  test('takes any iterable, reports its progress, and accepts none', async () => {
    const { knex } = database()
    const events: CopyEvent[] = []
    async function* rows(): AsyncGenerator<{ number: number }> {
      for (let number = 0; number < 3000; number++) yield { number }
    }
    const result = await copyVectors(knex, 'documents', ['number'], rows(), { onEvent: (event) => events.push(event) })
    expect(result).toEqual({ rows: 3000, bytes: expect.any(Number), milliseconds: expect.any(Number) })
    expect(events.at(-1)).toMatchObject({ type: 'progress', rows: 3000, bytes: result.bytes })
    expect(await copyVectors(knex, 'documents', ['number'], new Set<{ number: number }>())).toMatchObject({ rows: 0 })
    expect(await knex('documents').count()).toEqual([{ count: '3000' }])
  })

  test('counts the rows that were stored, without those that a trigger discards', async () => {
    const { knex } = database()
    await knex.raw(`create function odd() returns trigger language plpgsql as
      $$ begin if new.number % 2 = 0 then return null; end if; return new; end $$;
      create trigger odd before insert on documents for each row execute function odd()`)
    const rows = Array.from({ length: 10 }, (_, number) => ({ number }))
    expect(await copyVectors(knex, 'documents', ['number'], rows)).toMatchObject({ rows: 5 })
  })

  test('throws the error of its source unchanged, and stores nothing', async () => {
    const { knex } = database()
    const failure = new Error('the file ended')
    function* rows(): Generator<{ number: number }> {
      for (let number = 0; number < 2000; number++) yield { number }
      throw failure
    }
    await expect(copyVectors(knex, 'documents', ['number'], rows())).rejects.toBe(failure)
    expect(await knex('documents').select()).toEqual([])
  })

  test('ends when its signal aborts, also while its source waits, and stores nothing', async () => {
    const { knex } = database()
    const stop = new AbortController()
    let isClosed = false
    const rows: AsyncIterable<{ number: number }> = {
      [Symbol.asyncIterator]: () => {
        let sent = 0
        return {
          next: () => {
            if (sent < 2000) return Promise.resolve({ value: { number: sent++ } })
            setImmediate(() => stop.abort(new Error('enough')))
            return new Promise(() => undefined)
          },
          return: () => {
            isClosed = true
            return Promise.resolve({ value: undefined, done: true })
          },
        }
      },
    }
    await expect(copyVectors(knex, 'documents', ['number'], rows, { signal: stop.signal })).rejects.toThrow('enough')
    expect(await knex('documents').select()).toEqual([])
    expect(isClosed).toBe(database().url === null)
    await expect(copyVectors(knex, 'documents', ['number'], [], { signal: stop.signal })).rejects.toThrow('enough')
  })
})

describeOnServers('copyVectors on a server', (database) => {
  const embedding = new Float32Array(384).fill(0.5)

  beforeEach(async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw('create table documents (number int, embedding vector(384))')
  })

  async function* numbered(
    rows: number,
    between: (number: number) => Promise<unknown> | undefined,
  ): AsyncGenerator<object> {
    for (let number = 0; number < rows; number++) {
      await between(number)
      yield { number, embedding }
    }
  }

  test('reports a connection that is lost in the middle, and stores nothing', async () => {
    const { knex, connect } = database()
    const other = connect()
    const end = (): Promise<unknown> =>
      other.raw("select pg_terminate_backend(pid, 5000) from pg_stat_activity where query like 'copy %'")
    const rows = numbered(5000, (number) => (number === 2000 ? end() : undefined))
    await expectError('CONNECTION_LOST', () => copyVectors(knex, 'documents', ['number', 'embedding'] as never[], rows))
    expect(await other('documents').count()).toEqual([{ count: '0' }])
    expect(await copyVectors(knex, 'documents', ['number'], [{ number: 1 }])).toMatchObject({ rows: 1 })
  })

  test('does not give the next query a connection that was just lost', async () => {
    const { knex, connect } = database()
    const other = connect()
    const end = (): Promise<unknown> =>
      other.raw("select pg_terminate_backend(pid) from pg_stat_activity where query like 'copy %'")
    for (let round = 0; round < 8; round++) {
      const rows = numbered(5000, (number) => (number === 2000 ? end() : undefined))
      const lost = copyVectors(knex, 'documents', ['number', 'embedding'] as never[], rows)
      await expectError('CONNECTION_LOST', () => lost)
      expect(await knex('documents').count()).toEqual([{ count: '0' }])
    }
  })

  test('reads its source no faster than the server takes the rows', async () => {
    const { knex, connect } = database()
    const [holder, lookout] = [connect(), connect()]
    let taken = 0
    const rows = numbered(20_000, (number) => void (taken = number))
    const holding = await holder.transaction()
    await holding.raw('lock table documents in access exclusive mode')
    const copied = copyVectors(knex, 'documents', ['number', 'embedding'] as never[], rows)
    const isWaiting = "select 1 from pg_stat_activity where query like 'copy %' and wait_event_type = 'Lock'"
    while ((await lookout.raw(isWaiting)).rows.length === 0) expect(taken).toBeLessThan(10_000)
    for (let round = 0; round < 50; round++) await lookout.raw('select 1')
    expect(taken).toBeLessThan(10_000)
    await holding.rollback()
    expect(await copied).toMatchObject({ rows: 20_000 })
    expect(taken).toBe(19_999)
  })

  test('leaves the connection usable after a refused row, an abort and a reader that stops early', async () => {
    const { connect } = database()
    const knex = connect({ pool: { min: 1, max: 1 } })
    const backend = async (): Promise<number> => (await knex.raw('select pg_backend_pid() as pid')).rows[0].pid
    const before = await backend()
    const rows = Array.from({ length: 2000 }, (_, number) => ({ number }))
    await expectError('COPY_FAILED', () => copyVectors(knex, 'documents', ['number'], [...rows, { number: 0.5 }]))
    const stop = new AbortController()
    const stopped = numbered(5000, (number) => void (number === 3000 && stop.abort(new Error('enough'))))
    const copied = copyVectors(knex, 'documents', ['number', 'embedding'] as never[], stopped, { signal: stop.signal })
    await expect(copied).rejects.toThrow('enough')
    expect(await backend()).toBe(before)
    await copyVectors(knex, 'documents', ['number'], rows)
    expect(await first(readVectors(knex, 'documents', ['number']))).toEqual({ number: expect.any(Number) })
    expect(await backend()).toBe(before)
    expect(await knex('documents').count()).toEqual([{ count: '2000' }])
  })

  test('reads rows larger than a chunk, and many of them', async () => {
    const { knex } = database()
    await knex.raw('create table notes (id int, body text)')
    const rows = Array.from({ length: 50 }, (_, id) => ({ id, body: 'x'.repeat(id * 10_000) }))
    await copyVectors(knex, 'notes', ['id', 'body'], rows)
    expect(await collected(readVectors(knex, 'notes', ['id', 'body']))).toEqual(rows)
  })

  test('reports a reader whose query fails', async () => {
    const { knex } = database()
    await copyVectors(knex, 'documents', ['number'], [{ number: 0 }])
    const read = collected(readVectors(knex, 'documents', ['number'], { where: '1 / number > 0' }))
    await expect(read).rejects.toThrow('division by zero')
    expect(await knex('documents').count()).toEqual([{ count: '1' }])
  })

  test('inserts where COPY is not possible: into a view, and under row security', async () => {
    const { knex, connect, url } = database()
    await knex.raw(`
      create view shown as select number from documents;
      create role writer_copy login password 'writer';
      grant select, insert on documents to writer_copy;
      alter table documents enable row level security;
      create policy few on documents using (number < 100)`)
    try {
      expect(await copyVectors(knex, 'shown', ['number'], [{ number: 1 }])).toMatchObject({ rows: 1 })
      const own = new URL(url ?? '')
      own.username = 'writer_copy'
      own.password = 'writer'
      const writer = connect({ connection: own.href })
      expect(await copyVectors(writer, 'documents', ['number'], [{ number: 2 }])).toMatchObject({ rows: 1 })
      const refused = await expectError('COPY_FAILED', () =>
        copyVectors(writer, 'documents', ['number'], [{ number: 3 }, { number: 100 }]),
      )
      expect(refused.details).toMatchObject({ row: 2 })
      await writer.destroy()
    } finally {
      await knex.raw('drop owned by writer_copy; drop role writer_copy')
    }
  })

  test("means the server's own functions, whatever is on the search path", async () => {
    const { knex } = database()
    await knex.raw(`create schema trap;
      create function trap.row_security_active(oid) returns boolean language sql as 'select 1/0 = 1';
      create function trap.json_agg(json) returns json language sql as 'select (1/0)::text::json'`)
    await knex.transaction(async (trx) => {
      await trx.raw('set local search_path = trap, public, pg_catalog')
      expect(await copyVectors(trx, 'documents', ['number'], [{ number: 1 }])).toMatchObject({ rows: 1 })
    })
  })
})

async function collected<Row>(rows: AsyncIterable<Row>): Promise<Row[]> {
  const all: Row[] = []
  for await (const row of rows) all.push(row)
  return all
}

async function first<Row>(rows: AsyncIterable<Row>): Promise<Row | undefined> {
  for await (const row of rows) return row
  return undefined
}
