import { ensurePgvector, findDependents, inspectPgvector } from '../src/index.ts'
import { sessionOf } from '../src/database/session.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'

describeOnEveryDatabase('a query of ours', (database) => {
  test('answers with the value of its json', async () => {
    const session = sessionOf(database().knex)
    expect(await session.ask<object>(`select '{"a": "2"}'::json as state`)).toEqual({ a: '2' })
    expect(await session.ask<number>('select to_json(2) as state')).toBe(2)
    expect(await session.ask<null>(`select 'null'::json as state`)).toBeNull()
    expect(await session.askEach([`select '["2"]'::json as state`, 'select from pg_class limit 2'])).toEqual([
      ['2'],
      undefined,
    ])
  })

  test('that answers with a text is not read as json, whatever the text is', async () => {
    const session = sessionOf(database().knex)
    expect(await session.ask<string>(`select '2'::text as state`)).toBe('2')
    expect(await session.ask<string>(`select 'not json'::text as state`)).toBe('not json')
  })
})

describeOnServers('a caller who has pg leave json as text', (database) => {
  test('gets the same', async () => {
    const types = { getTypeParser: () => (text: string) => text }
    const knex = database().connect({ connection: { connectionString: database().url ?? '', types } })
    const session = sessionOf(knex)
    expect(await session.ask<object>(`select '{"a": "2"}'::json as state`)).toEqual({ a: '2' })
    expect(await session.ask<boolean>('select to_json(true) as state')).toBe(true)
    expect(await ensurePgvector(knex, { logger: false })).toMatchObject({ status: 'created' })
    expect((await inspectPgvector(knex)).installed).toMatchObject({ schema: 'public' })
    expect(await findDependents(knex)).toMatchObject({ objects: [] })
  })
})
