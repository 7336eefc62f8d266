import { serverMessage } from '../src/database/server-message.ts'
import { sessionOf } from '../src/database/session.ts'
import { sqlState } from '../src/database/sqlstate.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { unconnected } from './support/unconnected.ts'

describeOnEveryDatabase('what the server said', (database) => {
  test.each([
    ['nothing special', `raise exception 'no'`, 'no'],
    ['what Knex writes between statement and message', `raise exception 'a - b - c'`, 'a - b - c'],
    ['the same at its ends', `raise exception ' - a - '`, ' - a - '],
    ['letters of several bytes', `raise exception 'naïve – 🙂 - ja' using detail = 'größer'`, 'naïve – 🙂 - ja'],
    ['several lines', `raise exception e'one\\ntwo - three' using hint = 'h', column = 'c'`, 'one\ntwo - three'],
    ['nothing', `raise exception ''`, ''],
  ])('is shown exactly where it has %s', async (_what, statement, message) => {
    const { knex } = sessionOf(database().knex)
    const failure: unknown = await knex
      .raw(`do $$ begin -- before - after\n${statement}; end $$`)
      .catch((error: unknown) => error)
    expect(serverMessage(failure)).toBe(message)
  })

  test('is shown exactly for a statement with bindings, in a transaction, with a position', async () => {
    const failure: unknown = await sessionOf(database().knex)
      .knex.transaction((trx) => trx.raw('select "a - b" from pg_class where relname = ?', ['c - d']))
      .catch((error: unknown) => error)
    expect(serverMessage(failure)).toBe('column "a - b" does not exist')
  })

  test('is shown exactly for a constraint', async () => {
    const { knex } = sessionOf(database().knex)
    await knex.raw('create table "a - b" (id int constraint "c - d" check (id > 0))')
    const failure: unknown = await knex('a - b')
      .insert({ id: 0 })
      .catch((error: unknown) => error)
    expect(serverMessage(failure)).toBe('new row for relation "a - b" violates check constraint "c - d"')
  })
})

describe('what the server said', () => {
  test('is the message itself where Knex wrote nothing before it', () => {
    expect(serverMessage(new Error('Connection terminated unexpectedly'))).toBe('Connection terminated unexpectedly')
    expect(serverMessage('not an error')).toBe('')
  })

  test('is what follows the statement where the error has no fields', () => {
    expect(serverMessage(new Error('select 1 - Connection terminated'))).toBe('Connection terminated')
  })

  test('is shown exactly if a pooler sends its severity once', () => {
    // As PgBouncer writes it: severity, code and message, without a routine.
    const error = Object.assign(new Error('select 1 - pool - full'), { severity: 'FATAL', code: '08P01' })
    const { knex } = sessionOf(unconnected())
    knex.client.emit('query-error', error, { sql: 'select 1' })
    expect(serverMessage(error)).toBe('pool - full')
  })
})

describeOnEveryDatabase('the names of SQLSTATEs', (database) => {
  test('are those of the server', async () => {
    const { knex } = database()
    const pairs = Object.entries(sqlState).filter(([, state]) => state.startsWith('55') || state.startsWith('57'))
    expect(pairs).toHaveLength(5)
    for (const [name, state] of pairs) {
      const condition = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
      await expect(knex.raw(`do $$ begin raise ${condition}; end $$`)).rejects.toMatchObject({ code: state })
    }
  })
})
