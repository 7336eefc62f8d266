import type { Knex } from 'knex'

import { migration, RunSql } from '../src/index.ts'
import { createMigrator, planScript, type Migrator } from '../src/migrator.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { silenceConsole } from './support/migrations.ts'
import { describeWithPsql, runPsql } from './support/psql.ts'

// Each plan starts PostgreSQL in this process.
jest.setTimeout(180_000)
silenceConsole()

/** Texts that Knex, node-postgres or psql would read in another way if they were not left alone. */
const texts = [
  String.raw`a\?b ?? ? \\? \\\?`,
  ':name :"name" :\'name\' ::text :1',
  '$1 $2 $0 $$ $tag$',
  `it's "quoted"`,
  '-- no comment /* and none */',
  'é🐘\t\n\r\n;',
]

/** The same texts in every form of literal, beside operators and comments that look like bindings. */
const up = `
create table literals (id int generated always as identity, body text); -- ? \\? :name $1
/* ? \\? :name $1 /* nested ?? */ */
insert into literals (body) values
${texts.map((text) => `  (${standard(text)}), (${escaped(text)}), (${dollarQuoted(text)}), (${unicode(text)})`).join(',\n')};
create table answers as select
  '{"a": 1}'::jsonb ? 'a' as has, '{"a": 1}'::jsonb ?| array['a', 'b'] as has_any,
  '{"a": 1}'::jsonb ?& array['a', 'b'] as has_all, '5'::int as number, (array[1, 2, 3])[1:2] as slice;
create function answer(int) returns int language sql as $body$ select $1 + 1 -- ? \\? $body$;`.trim()

const down = `drop function answer(int); drop table answers; drop table literals -- \\? ?? :name $1 '`

const source: Knex.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(['001_literals']),
  getMigrationName: (name) => name,
  getMigration: () => Promise.resolve(migration([new RunSql({ up, down })]) as unknown as Knex.Migration),
}

describeOnEveryDatabase('the statements of RunSql', (database) => {
  const migrator = (): Migrator => createMigrator(database().knex, { migrationSource: source })

  test('are sent as they stand, up and down', async () => {
    const heard: string[] = []
    database().knex.on('query', ({ sql }: { readonly sql: string }) => heard.push(sql))
    await migrator().up()
    await expectLiterals(database().knex)
    await migrator().down()
    expect(heard).toEqual(expect.arrayContaining([up, down]))
    expect(await database().knex.schema.hasTable('literals')).toBe(false)
  })

  test('are rehearsed as they stand', async () => {
    const { migrations } = await migrator().rehearse()
    expect(migrations).toMatchObject([{ state: 'rehearsed' }])
    expect(migrations.flatMap(({ statements }) => statements.map(({ sql }) => sql)).join(';\n')).toContain(
      texts.map((text) => standard(text))[0],
    )
  })

  test('are planned as they stand', async () => {
    const { migrations } = await migrator().plan()
    const statements = migrations.flatMap((planned) => planned.statements.map(({ sql }) => sql))
    expect(statements).toHaveLength(4)
    for (const statement of statements) expect(up).toContain(statement)
  })
})

describeWithPsql('the statements of RunSql in a script', (database) => {
  test('are what psql sends', async () => {
    const script = planScript(await createMigrator(database().knex, { migrationSource: source }).plan())
    expect(await runPsql(database().url ?? '', script)).toMatchObject({ code: 0 })
    await expectLiterals(database().knex)
  })
})

async function expectLiterals(knex: Knex): Promise<void> {
  expect(await knex('literals').orderBy('id').pluck('body')).toEqual(texts.flatMap((text) => [text, text, text, text]))
  expect(await knex('answers').first()).toEqual({
    has: true,
    has_any: true,
    has_all: false,
    number: 5,
    slice: [1, 2],
  })
  expect((await knex.raw('select answer(1) as answer')).rows).toEqual([{ answer: 2 }])
}

function standard(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function escaped(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function dollarQuoted(text: string): string {
  return `$of$${text}$of$`
}

function unicode(text: string): string {
  return `U&'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
