import { ensurePgvector, findDependents, inspectPgvector } from '../src/index.ts'
import { ask, askEach, askText } from '../src/database/queryable.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'

describeOnEveryDatabase('a query of ours', (database) => {
  test('answers with the value of its json', async () => {
    const { knex } = database()
    expect(await ask<object>(knex, `select '{"a": "2"}'::json as state`)).toEqual({ a: '2' })
    expect(await ask<number>(knex, 'select to_json(2) as state')).toBe(2)
    expect(await ask<null>(knex, `select 'null'::json as state`)).toBeNull()
    expect(await askEach(knex, [`select '["2"]'::json as state`, 'select from pg_class limit 2'])).toEqual([
      ['2'],
      undefined,
    ])
  })

  test('that answers with a text is not read as json, whatever the text is', async () => {
    const { knex } = database()
    expect(await askText(knex, `select '2'::text as state`)).toBe('2')
    // @ts-expect-error a text is for askText: pg has parsed a json text once, and nothing tells
    const asked = ask<string>(knex, `select to_json('not json'::text) as state`)
    await expect(asked).rejects.toThrow(SyntaxError)
  })
})

describeOnServers('a caller who has pg leave json as text', (database) => {
  test('gets the same', async () => {
    const types = { getTypeParser: () => (text: string) => text }
    const knex = database().connect({ connection: { connectionString: database().url ?? '', types } })
    expect(await ask<object>(knex, `select '{"a": "2"}'::json as state`)).toEqual({ a: '2' })
    expect(await ask<boolean>(knex, 'select to_json(true) as state')).toBe(true)
    expect(await ensurePgvector(knex, { logger: false })).toMatchObject({ status: 'created' })
    expect((await inspectPgvector(knex)).installed).toMatchObject({ schema: 'public' })
    expect(await findDependents(knex)).toMatchObject({ objects: [] })
  })
})
