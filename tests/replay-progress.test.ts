import { printable } from '../src/core/printable.ts'
import type { MigratorEvent } from '../src/migrator.ts'
import { createMigrator } from '../src/migrator.ts'
import { lint } from '../src/lint.ts'
import { withReplayProgress } from '../src/cli/output/replay-progress.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { silenceConsole } from './support/migrations.ts'

// Each of them starts PostgreSQL in this process.
jest.setTimeout(180_000)
silenceConsole()

const names = ['001_notes', '002_body', '003_more']

const migrationSource = {
  getMigrations: () => Promise.resolve(names),
  getMigrationName: (name: string) => name,
  getMigration: (name: string) =>
    Promise.resolve({
      up: async (knex: { raw(sql: string): unknown }) => knex.raw(`create table "${name}" (id int)`),
      down: async (knex: { raw(sql: string): unknown }) => knex.raw(`drop table "${name}"`),
      config: { transaction: name !== '003_more' },
    }),
}

/** The events of an embedded copy, in a line each. */
function collected(): { readonly lines: string[]; readonly onEvent: (event: MigratorEvent) => void } {
  const lines: string[] = []
  return {
    lines,
    onEvent: (event) => {
      if (event.type === 'replaying') lines.push(`${event.index + 1}/${event.total} ${event.migration}`)
    },
  }
}

describeOnEveryDatabase('the progress on an embedded copy', (database) => {
  test('counts the applied migrations, then the planned ones', async () => {
    const migrator = createMigrator(database().knex, { migrationSource })
    await migrator.up({ to: '001' })
    const { lines, onEvent } = collected()
    await migrator.plan({ onEvent })
    expect(lines).toEqual(['1/3 001_notes', '2/3 002_body', '3/3 003_more'])
    const linted = collected()
    await lint(database().knex, { migrationSource, onEvent: linted.onEvent })
    expect(linted.lines).toEqual(lines)
  })

  test('counts those that adopt tries out', async () => {
    const { knex } = database()
    for (const name of names) await knex.raw(`create table "${name}" (id int)`)
    const { lines, onEvent } = collected()
    const { adopted } = await createMigrator(knex, { migrationSource }).adopt({ onEvent })
    expect(adopted.map(({ name }) => name)).toEqual(names)
    expect(lines).toEqual(['1/3 001_notes', '2/3 002_body', '3/3 003_more'])
  })

  test('counts those from which down predicts what it would lose', async () => {
    const migrator = createMigrator(database().knex, { migrationSource })
    await migrator.up()
    const { lines, onEvent } = collected()
    const { tables } = await migrator.losses({ steps: 1, onEvent })
    expect(tables.map(({ table }) => table)).toEqual(['public."003_more"'])
    expect(lines).toEqual(['1/3 001_notes', '2/3 002_body', '3/3 003_more'])
  })
})

describe('the display of that progress', () => {
  const print = { line: jest.fn(), note: jest.fn(), exact: jest.fn(), document: jest.fn() }

  afterEach(() => {
    jest.restoreAllMocks()
    print.note.mockReset()
  })

  test('is a line after five seconds and not one for each migration', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1000)
    await withReplayProgress(print, false, (onEvent) => {
      for (const [index, time] of [1100, 5500, 6001, 8000, 11_100].entries()) {
        clock.mockReturnValue(time)
        onEvent({ type: 'replaying', migration: `00${index}`, index, total: 5 })
      }
      return Promise.resolve()
    })
    expect(print.note.mock.calls.flat().map(String)).toEqual(['In memory: [3/5] 002 …', 'In memory: [5/5] 004 …'])
  })

  test('passes other events on', async () => {
    const others = jest.fn()
    const event = { type: 'recovered', holder: null } as const
    const run = (onEvent: (event: MigratorEvent) => void): Promise<number> => {
      onEvent(event)
      return Promise.resolve(7)
    }
    expect(await withReplayProgress(print, false, run, others)).toBe(7)
    expect(others.mock.calls).toEqual([[event]])
  })

  test('is a bar on a terminal, which is removed in the end', async () => {
    const written: string[] = []
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0)
    Object.defineProperty(process.stderr, 'isTTY', { value: true, configurable: true })
    try {
      await withReplayProgress(print, false, (onEvent) => {
        onEvent({ type: 'replaying', migration: '001\u001b[31m', index: 0, total: 2 })
        return Promise.resolve()
      })
    } finally {
      Object.defineProperty(process.stderr, 'isTTY', { value: undefined, configurable: true, writable: true })
    }
    expect(written.join('')).toContain(printable('001\u001b[31m'))
    expect(written.join('')).toContain('0/2')
  })
})
