import fc from 'fast-check'

import { learnPassword, redact, redactAll } from '../src/sql-text/redact.ts'
import { describeOnServers, type TestDatabase } from './support/databases.ts'
import { createProject, knexfile, migrationOf, type Project } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

const first = migrationOf('create table first (id int)', 'drop table first')
const second = migrationOf('create table second (id int)', 'drop table second')

const talking = `
  exports.up = async (knex) => {
    console.log('said with log')
    console.debug('said with debug')
    process.stdout.write('said on stdout')
    await knex.raw('create table talking (id int)')
  }`

interface Started {
  readonly project: Project
  readonly env: { readonly DATABASE_URL: string }
}

async function started(database: TestDatabase, files: Readonly<Record<string, string>>): Promise<Started> {
  return {
    project: await createProject({ 'knexfile.js': knexfile, ...files }),
    env: { DATABASE_URL: database.url ?? '' },
  }
}

const two = { 'migrations/001_initial_schema.js': first, 'migrations/003_add_scaling_tables.js': second }

/** What begins a colour on a terminal. */
const ESCAPE = '\u001B['

describeOnServers('the command line', (database) => {
  test('prints the result with --quiet and nothing else', async () => {
    const { project, env } = await started(database(), {
      'migrations/001_enable.js': `const { ensurePgvector } = require('knex-pgvector')
        exports.up = async (knex) => { console.log('talking'); console.warn('on'); await ensurePgvector(knex, { minVersion: '0.5.0' }) }
        exports.down = async () => {}`,
    })
    for (const [command, stdout] of [
      ['plan', expect.stringContaining('create extension')],
      ['lint', expect.stringContaining('Nothing found')],
      ['rehearse', expect.stringContaining('Rolled back')],
      ['up', '✓ 001_enable\nApplied 1\n'],
    ] as const) {
      expect(await project.run([command, '--quiet'], env)).toEqual({ code: 0, stdout, stderr: '' })
    }
  })

  test('shows the status in its layout, and exits with 3 for what is pending where it is asked to', async () => {
    const { project, env } = await started(database(), two)
    await project.run(['up', '--to', '1'], env)
    const { stdout, stderr, code } = await project.run(['status'], env)
    expect(stdout).toBe(`Migration Status
==================================================
  ✓ 001_initial_schema: APPLIED
  ○ 003_add_scaling_tables: PENDING

Applied: 1 / 2
`)
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
    expect((await project.run(['status', '--exit-code'], env)).code).toBe(3)
    await project.run(['up'], env)
    expect((await project.run(['status', '--exit-code'], env)).code).toBe(0)
  })

  test('shows the status in the order of a run where Knex sorts each directory by itself', async () => {
    const { project, env } = await started(database(), {
      'knexfile.js': `module.exports = { client: 'pg', connection: process.env.DATABASE_URL,
        migrations: { directory: ['base', 'more'], sortDirsSeparately: true } }`,
      'base/009_first.js': first,
      'more/001_second.js': second,
    })
    const { stdout } = await project.run(['status'], env)
    expect(stdout).toMatch(/009_first\.js: PENDING\n.*001_second\.js: PENDING/)
  })

  test('keeps stdout for one document with --json, whatever a migration prints', async () => {
    const { project, env } = await started(database(), { ...two, 'migrations/004_talking.js': talking })
    const { code, stdout, stderr } = await project.run(['up', '--json'], env)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ direction: 'up', batch: 1, skipped: [] })
    for (const said of ['said with log', 'said with debug', 'said on stdout', '[3/3] 004_talking up']) {
      expect(stderr).toContain(said)
    }
    const { stdout: status } = await project.run(['status', '--json'], env)
    expect(JSON.parse(status)).toMatchObject({ applied: 3, pending: 0 })
  })

  test('prints the result alone with --quiet', async () => {
    const { project, env } = await started(database(), two)
    expect(await project.run(['up', '--quiet'], env)).toEqual({
      code: 0,
      stdout: '✓ 001_initial_schema\n✓ 003_add_scaling_tables\nApplied 2\n',
      stderr: '',
    })
  })

  test('colours nothing where it is not seen, and what is seen where it may', async () => {
    const { project, env } = await started(database(), two)
    const actions = { ...env, CI: 'true', GITHUB_ACTIONS: 'true', TERM: 'xterm-256color' }
    const outputs = [await project.run(['up'], actions), await project.run(['up', '--to', '9'], actions)]
    for (const { stdout, stderr } of outputs) expect(stdout + stderr).not.toContain(ESCAPE)
    const forced = { ...env, FORCE_COLOR: '1' }
    expect((await project.run(['status'], forced)).stdout).toContain(ESCAPE)
    expect((await project.run(['status', '--no-color'], forced)).stdout).not.toContain(ESCAPE)
    expect((await project.run(['status'], { ...forced, NO_COLOR: '1' })).stdout).not.toContain(ESCAPE)
  })

  test('goes to the server of --database-url instead of that of the knexfile', async () => {
    const { project, env } = await started(database(), {
      ...two,
      'knexfile.js': knexfile.replace('process.env.DATABASE_URL', `'postgres://localhost:1/nowhere'`),
    })
    expect((await project.run(['status'])).code).toBe(2)
    const { code, stdout } = await project.run(['status', '--database-url', env.DATABASE_URL])
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Applied: 0 / 2') })
  })

  test('needs no knexfile with --database-url, and then names migrations as stock Knex does', async () => {
    const { project, env } = await started(database(), two)
    const { stdout } = await project.run(['status', '--knexfile', 'knexfile.js'], env)
    expect(stdout).toContain('001_initial_schema:')
    const bare = await createProject(two)
    const { code } = await bare.run(['up', '--database-url', env.DATABASE_URL])
    expect(code).toBe(0)
    expect(await database().knex('knex_migrations').pluck('name')).toEqual([
      '001_initial_schema.js',
      '003_add_scaling_tables.js',
    ])
  })

  test.each(['3', '003', '003_add', '003_add_scaling_tables', '003_add_scaling_tables.js'])(
    'reads %s as a version',
    async (version) => {
      const { project, env } = await started(database(), two)
      const { stdout } = await project.run(['up', '--only', version, '--dry-run'], env)
      expect(stdout).toContain('would apply 003_add_scaling_tables\n')
    },
  )

  test.each([
    [
      '4',
      /Migration 4 does not exist {2}MIGRATION_NOT_FOUND\n.*Did you mean 001_initial_schema, 003_add_scaling_tables\?/,
    ],
    ['add_scaling', /Did you mean 003_add_scaling_tables\?/],
  ])('names what is near where %s is no version', async (version, said) => {
    const { project, env } = await started(database(), two)
    const { code, stderr } = await project.run(['up', '--to', version], env)
    expect(code).toBe(2)
    expect(stderr).toMatch(said)
  })

  test('asks which one is meant where two migrations have a number', async () => {
    const { project, env } = await started(database(), { ...two, 'migrations/003_other.js': first })
    const { code, stderr } = await project.run(['up', '--to', '3'], env)
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /"3" matches more than one migration {2}MIGRATION_AMBIGUOUS\n.*003_add_scaling_tables, 003_other/,
    )
  })

  test('shows the history as a table of plain text', async () => {
    const { project, env } = await started(database(), two)
    await project.run(['up'], env)
    const { stdout } = await project.run(['history'], env)
    const [head = '', ...lines] = stdout.trimEnd().split('\n')
    expect(head).toMatch(/^When \(UTC\) +What +Migration +pgvector +Time +Role$/)
    expect(lines.map((line) => line.split(/ {2,}/).slice(1, 3))).toEqual([
      ['up succeeded', expect.stringMatching(/^\d+ ms$/)],
      ['applied (batch 1)', '001_initial_schema'],
      ['applied (batch 1)', '003_add_scaling_tables'],
    ])
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}/)
    const verbose = await project.run(['history', '--verbose'], env)
    expect(verbose.stdout).toMatch(/Host +Process +Details\n/)
    const { entries } = JSON.parse((await project.run(['history', '--json'], env)).stdout) as { entries: unknown[] }
    expect(entries).toHaveLength(3)
  })

  test('says that there is no history yet', async () => {
    const { project, env } = await started(database(), two)
    expect(await project.run(['history'], env)).toEqual({ code: 0, stdout: 'Nothing is on record\n', stderr: '' })
  })

  test('adopts what is there, and says what and on whose word', async () => {
    const { project, env } = await started(database(), two)
    await database().knex.raw(`
      create table first (id int); create table second (id int);
      create table schema_migrations (version int, name text);
      insert into schema_migrations values (1, '001_initial_schema'), (3, '003_add_scaling_tables'), (9, 'gone')`)
    const { code, stdout } = await project.run(['adopt'], env)
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: [
        '✓ 001_initial_schema: 2 objects are there',
        '✓ 003_add_scaling_tables: 2 objects are there',
        '⚠ schema_migrations also lists what has no file: gone',
        'Adopted 2 that the table schema_migrations lists',
        '',
      ].join('\n'),
    })
  })

  test('names what is missing where it cannot adopt, and keeps quiet what migrations say in memory', async () => {
    const { project, env } = await started(database(), { 'migrations/004_talking.js': talking })
    const refused = await project.run(['adopt', '--json'], env)
    expect(refused.code).toBe(2)
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: {
        code: 'ADOPT_MISMATCH',
        details: { problems: [{ migration: '004_talking', problem: 'table talking is missing' }] },
      },
    })
    expect(refused.stderr).not.toMatch(/said with/)
  })

  test('unlocks, and says whose lock it was', async () => {
    const { project, env } = await started(database(), two)
    const { knex } = database()
    await project.run(['up'], env)
    expect(await project.run(['unlock'], env)).toEqual({ code: 0, stdout: 'Nothing is locked\n', stderr: '' })
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    const refused = await project.run(['unlock'], env)
    expect(refused).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/UNLOCK_REFUSED[^]*unlock --force/),
    })
    const { code, stdout } = await project.run(['unlock', '--force'], env)
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: '✓ Freed the lock of another migration, of which no note was made (stock Knex)\n',
    })
  })
})

describe('what is shown', () => {
  test('never has the password of a URL in it', () => {
    const password = fc.stringMatching(/^[A-Za-z0-9!$%^&*()_+=:@?#;,.~-]{6,30}$/)
    fc.assert(
      fc.property(password, fc.constantFrom('postgres', 'postgresql'), (secret, protocol) => {
        const text = `cannot reach ${protocol}://app:${secret}@db.example:5432/main, "${protocol}://app:${secret}@db/x"`
        expect(redact(text)).toBe(
          `cannot reach ${protocol}://app:***@db.example:5432/main, "${protocol}://app:***@db/x"`,
        )
      }),
    )
  })

  test.each([
    ['as a URL has it', 'postgres://app:p%2Cas%40word@db/main'],
    ['as a URL has it, in its query', 'postgres://db/main?user=app&password=p,as@word'],
    ['as an object has it', { host: 'db', user: 'app', password: 'p,as@word' }],
  ])('has no password of the connection in it, %s, wherever it turns up', (_, connection) => {
    learnPassword(connection)
    expect(redact('no such thing: p,as@word, p%2Cas%40word')).toBe('no such thing: ***, ***')
  })

  test('has other words in it, also where they are a password', () => {
    for (const connection of ['postgres://postgres:postgres@h/d', 'postgres://u:password@h/d', 'postgres://u:a@h/d']) {
      learnPassword(connection)
    }
    expect(redact('a password of postgres')).toBe('a password of postgres')
  })

  test.each([
    [`create role app login password 'it''s secret'`, `create role app login password ***`],
    [`alter role app PASSWORD E'secret'`, `alter role app PASSWORD ***`],
    [`host=db password=secret user=app`, `host=db password=*** user=app`],
    [`{ host: 'db', password: 'secret', user: 'app' }`, `{ host: 'db', password: ***, user: 'app' }`],
    [`password authentication failed for user "app"`, `password authentication failed for user "app"`],
    ['create table items (password text)', 'create table items (password text)'],
    ['set password_encryption = md5; select password::text', 'set password_encryption = md5; select password::text'],
    [`alter role app password null`, `alter role app password null`],
    [`alter role app password '' valid until 'infinity'`, `alter role app password *** valid until 'infinity'`],
    [`alter role app password $$sec'ret$$ login`, `alter role app password *** login`],
    [`alter role app password $é$sec$$ret$é$ login`, `alter role app password *** login`],
    [`alter role app password U&'sec\\0072et' uescape '!'`, `alter role app password *** uescape '!'`],
    [`alter role app password e'se\\'cret' login`, `alter role app password *** login`],
    [`alter role app password 'sec'\n  'ret' login`, `alter role app password *** login`],
    [`alter role app password 'sec' -- it's\n  'ret' login`, `alter role app password *** login`],
    [`alter role app password/* it's */'secret'`, `alter role app password/* it's */***`],
    [`alter role app password -- the\r'secret'`, `alter role app password -- the\r***`],
    [`alter role app password /* a /* b */ c */ $q$secret$q$`, `alter role app password /* a /* b */ c */ ***`],
    [
      `create user mapping for app server s options (user 'a', password 'sec''ret')`,
      `create user mapping for app server s options (user 'a', password ***)`,
    ],
    [
      `alter user mapping for app server s options (set "password" 'secret')`,
      `alter user mapping for app server s options (set "password" ***)`,
    ],
    [
      `create subscription s connection 'host=h password=secret user=u' publication p`,
      `create subscription s connection 'host=h password=*** user=u' publication p`,
    ],
    [
      `select dblink_connect('c', $$host=h password='it\\'s secret' user=u$$)`,
      `select dblink_connect('c', $$host=h password=*** user=u$$)`,
    ],
    [
      `select dblink_connect('host=h password=''sec ret'' user=u')`,
      `select dblink_connect('host=h password=*** user=u')`,
    ],
    [`select dblink_connect('postgres://u:secret@h/d')`, `select dblink_connect('postgres://u:***@h/d')`],
    [
      `do $do$ begin execute 'alter role app password ''secret'' login'; end $do$`,
      `do $do$ begin execute 'alter role app password *** login'; end $do$`,
    ],
    [`execute E'alter role app password \\'secret\\' login'`, `execute E'alter role app password *** login'`],
    [`comment on role app is 'the password is hers'`, `comment on role app is 'the password is hers'`],
    [`update users set password = 'secret', name = 'a'`, `update users set password = ***, name = 'a'`],
    [`select login(password => 'secret')`, `select login(password => ***)`],
    [`select jsonb_build_object('password', 'secret')`, `select jsonb_build_object('password', ***)`],
    [`couldn't do: alter role app password 'secret'`, `couldn't do: alter role app password ***`],
    [`couldn't do: alter role app password ''secret'' login`, `couldn't do: alter role app password *** login`],
    [`syntax error at "'": password e'se\\'cret' login`, `syntax error at "'": password *** login`],
    [`host=h password=sec,r;et}=' user=u`, `host=h password=*** user=u`],
    [`host=h password=sec\\ ret user=u`, `host=h password=*** user=u`],
    [`host=h password = 'it\\'s secret' user=u`, `host=h password = *** user=u`],
    ['PGPASSWORD=secret npx knex-pgvector up', 'PGPASSWORD=*** npx knex-pgvector up'],
    ['sslpassword=secret sslmode=require', 'sslpassword=*** sslmode=require'],
    ['postgres://h/d?user=u&password=secret', 'postgres://h/d?user=u&password=***'],
    [`{"host":"h","password":"se\\"cret","user":"u"}`, `{"host":"h","password":***,"user":"u"}`],
    [`"{\\"password\\":\\"secret\\"}"`, `"{\\"password\\":***}"`],
  ])('has no password in %s', (text, shown) => {
    expect(redact(text)).toBe(shown)
    expect(redactAll({ cause: [text] })).toEqual({ cause: [shown] })
  })
})
