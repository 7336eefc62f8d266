import { join } from 'node:path'

import type { Knex } from 'knex'

import { describeOnOneServer } from './support/databases.ts'
import { compare, filesWith, players, type Configure, type Step } from './support/players.ts'
import { migrationOf } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const table = (name: string): string => migrationOf(`create table ${name} (id int primary key)`, `drop table ${name}`)

const outside = (up: string, down: string): string =>
  `${migrationOf(up, down)}\nexports.config = { transaction: false }`

const three = {
  'migrations/001_first.js': table('first'),
  'migrations/002_second.js': table('second'),
  'migrations/003_third.js': table('third'),
}

const broken = {
  ...three,
  'migrations/002_second.js': migrationOf('create table second as select from needed', 'drop table second'),
}

interface Case {
  readonly files: Readonly<Record<string, string>>
  readonly steps: readonly Step[]
  readonly configure?: Configure
  /** What comes of the steps that migrate, where not all are done. */
  readonly outcomes?: readonly ('done' | 'failed')[]
}

const settings =
  (migrations: object, config: object = {}): Configure =>
  (folder) => ({ ...config, migrations: { directory: join(folder, 'migrations'), ...migrations } })

const cases: Readonly<Record<string, Case>> = {
  'latest, and again with nothing to do': { files: three, steps: ['latest', 'latest'] },
  'one up after the other': { files: three, steps: ['up one', 'up one', 'up one', 'up one'] },
  'one by its name, before one that is older': { files: three, steps: ['up 002', 'latest'] },
  'one down after the other': { files: three, steps: ['latest', 'down one', 'down one', 'down one', 'down one'] },
  'rollback of the last batch': { files: three, steps: ['up one', 'latest', 'rollback', 'rollback', 'latest'] },
  'rollback of everything': { files: three, steps: ['up one', 'up one', 'latest', 'rollback all', 'latest'] },
  'a migration that fails in the middle, and then does not': {
    files: broken,
    steps: ['latest', ({ sql }) => sql('create table its.needed ()'), 'latest', 'rollback'],
    outcomes: ['failed', 'done', 'done'],
  },
  'a migration that fails after one that was applied by itself': {
    files: broken,
    steps: ['up one', 'up one', 'latest', 'rollback'],
    outcomes: ['done', 'failed', 'failed', 'done'],
  },
  'a migration whose down fails': {
    files: { ...three, 'migrations/002_second.js': migrationOf('create table second ()', 'drop table nowhere') },
    steps: ['latest', 'down one', 'down one', 'latest'],
    outcomes: ['done', 'done', 'failed', 'done'],
  },
  'migrations outside a transaction': {
    files: {
      ...three,
      'migrations/002_second.js': outside('create index concurrently on first (id)', 'drop index first_id_idx'),
    },
    steps: ['latest', 'down one', 'down one', 'rollback', 'latest'],
  },
  'a failure where one of the migrations is outside a transaction': {
    files: { ...broken, 'migrations/001_first.js': outside('create table first ()', 'drop table first') },
    steps: ['latest', ({ sql }) => sql('create table its.needed ()'), 'latest', 'rollback'],
    outcomes: ['failed', 'done', 'done'],
  },
  'disableTransactions, with a failure': {
    files: {
      ...three,
      'migrations/002_second.js':
        migrationOf('create table second ()', 'drop table second') +
        '\nconst up = exports.up\nexports.up = async (knex) => { await up(knex); await knex.raw("select 1/0") }',
    },
    steps: ['latest', 'down one'],
    outcomes: ['failed', 'done'],
    configure: settings({ disableTransactions: true }),
  },
  'disableTransactions, and one migration that asks for a transaction': {
    files: {
      ...three,
      'migrations/002_second.js':
        migrationOf('create table second (); create table needed as select from nowhere') +
        '\nexports.config = { transaction: true }',
    },
    steps: ['latest'],
    outcomes: ['failed'],
    configure: settings({ disableTransactions: true }),
  },
  'a file that is gone': {
    files: three,
    steps: ['latest', ({ files }) => files.remove('migrations/002_second.js'), 'latest', 'down one', 'rollback all'],
    outcomes: ['done', 'failed', 'failed', 'failed'],
  },
  'a file that is gone, with disableMigrationsListValidation': {
    files: three,
    steps: [
      'latest',
      async ({ files }) => {
        await files.remove('migrations/003_third.js')
        await files.write('migrations/004_fourth.js', table('fourth'))
      },
      'latest',
      'down one',
      'down one',
      'latest',
    ],
    configure: settings({ disableMigrationsListValidation: true }),
  },
  'a file that was renamed': {
    files: three,
    steps: [
      'latest',
      ({ files }) => files.rename('migrations/002_second.js', 'migrations/002_other.js'),
      'latest',
      'rollback',
    ],
    outcomes: ['done', 'failed', 'failed'],
  },
  'a migration that comes late, and sorts before those that were applied': {
    files: { 'migrations/001_first.js': table('first'), 'migrations/003_third.js': table('third') },
    steps: [
      'latest',
      ({ files }) => files.write('migrations/002_second.js', table('second')),
      'latest',
      'rollback',
      'latest',
    ],
  },
  'a table of another name': {
    files: three,
    steps: ['latest', 'rollback'],
    configure: settings({ tableName: 'History of "it"' }),
  },
  schemaName: {
    files: three,
    steps: ['latest', 'down one', 'latest'],
    configure: (folder, schema) => settings({ schemaName: `${schema}_audit` })(folder, schema),
  },
  'schemaName and tableName': {
    files: three,
    steps: ['latest', 'rollback', 'latest'],
    configure: (folder, schema) => settings({ schemaName: `${schema}_audit`, tableName: 'Migrations' })(folder, schema),
  },
  'an empty schemaName': { files: three, steps: ['latest'], configure: settings({ schemaName: '' }) },
  'a search path whose second schema has a history of its own': {
    files: three,
    steps: [
      ({ sql }) =>
        sql(`
          create table if not exists public.knex_migrations (
            id serial primary key, name varchar(255), batch integer, migration_time timestamptz);
          insert into public.knex_migrations (name, batch) values ('001_first.js', 1), ('002_second.js', 1)`),
      'latest',
      'latest',
      'rollback',
    ],
    configure: (folder, schema) => settings({}, { searchPath: [schema, 'public'] })(folder, schema),
  },
  'a search path whose first schema does not exist': {
    files: three,
    steps: ['latest', 'rollback', 'latest'],
    configure: (folder, schema) => settings({}, { searchPath: ['nowhere', schema, 'public'] })(folder, schema),
  },
  'several folders, sorted together': {
    files: {
      'migrations/002_second.js': table('second'),
      'more/001_first.js': table('first'),
      'more/003_third.js': table('third'),
    },
    steps: ['up one', 'latest', 'down one'],
    configure: (folder) => ({ migrations: { directory: [join(folder, 'migrations'), join(folder, 'more')] } }),
  },
  'several folders, one after the other': {
    files: {
      'migrations/002_second.js': table('second'),
      'more/001_first.js': table('first'),
      'more/003_third.js': table('third'),
    },
    steps: ['up one', 'up one', 'latest', 'down one', 'rollback'],
    configure: (folder) => ({
      migrations: { directory: [join(folder, 'migrations'), join(folder, 'more')], sortDirsSeparately: true },
    }),
  },
  'only the files that loadExtensions names': {
    files: { ...three, 'migrations/002_second.cjs': table('other'), 'migrations/readme.md': '' },
    steps: ['latest', 'rollback'],
    configure: settings({ loadExtensions: ['.cjs'] }),
  },
  'no files that Knex does not load by default': {
    files: {
      ...three,
      'migrations/002_second.mjs': 'export const up = 1',
      'migrations/notes.txt': '',
      'migrations/001_first.js.map': '',
    },
    steps: ['latest', 'rollback'],
  },
  'names of columns and tables that Knex is told to change': {
    files: {
      'migrations/001_first.js': `
        exports.up = (knex) => knex.schema.createTable('bigTable', (made) => made.increments('theId'))
        exports.down = (knex) => knex.schema.dropTable('bigTable')`,
    },
    steps: ['latest', 'rollback', 'latest'],
    configure: settings(
      { tableName: 'ourMigrations' },
      {
        wrapIdentifier: (value: string, wrap: (value: string) => string) =>
          wrap(value.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toLowerCase()),
        postProcessResponse: () => 'nothing of use',
      },
    ),
  },
  'migrations that return nothing': {
    files: { 'migrations/001_first.js': 'exports.up = () => {}\nexports.down = () => {}' },
    steps: ['latest', 'rollback'],
  },
  'a source of the user that lists and loads at once': {
    files: {},
    steps: ['up one', 'latest', 'rollback', 'rollback all'],
    configure: () => ({
      migrations: {
        migrationSource: {
          getMigrations: () => [
            { file: 'b', makes: 'of_b' },
            { file: 'a', makes: 'of_a' },
          ],
          getMigrationName: ({ file }: { file: string }) => file,
          getMigration: ({ makes }: { makes: string }) => ({
            up: (knex: Knex) => knex.raw(`create table ${makes} ()`),
            down: (knex: Knex) => knex.raw(`drop table ${makes}`),
          }),
        } as never,
      },
    }),
  },
}

describeOnOneServer('stock Knex, this library, and both by turns are left with the same', (database) => {
  test.each(Object.entries(cases))('after %s', async (_, { files, steps, configure, outcomes }) => {
    const left = await compare(database(), await filesWith(files), steps, configure)
    for (const player of players) expect({ player, left: left[player] }).toEqual({ player, left: left.stock })
    const all = left.stock.map(({ outcome }) => outcome)
    expect(all).toEqual(outcomes ?? all.map(() => 'done'))
  })
})
