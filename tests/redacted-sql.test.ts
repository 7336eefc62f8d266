import { inspect } from 'node:util'

import { messages } from '../src/core/error-messages.ts'
import { PgvectorMigrationError } from '../src/core/errors.ts'
import { redact } from '../src/sql-text/redact.ts'

/** Every way to write a password into SQL; each of them has this one, or its parts. */
const forms: Readonly<Record<string, readonly string[]>> = {
  'a literal': [
    `create role a login password 's3cr3t-v4lue'`,
    `CREATE ROLE a PASSWORD's3cr3t-v4lue'`,
    `create user a with encrypted password 's3cr3t-v4lue' valid until 'infinity'`,
    `alter role a password 's3cr3t''-v4lue'`,
    `alter user a with password E's3cr3t\\'-v4lue'`,
    `alter role a password e's3cr3t\\\\-v4lue'`,
    `alter role a password E'\\x73\\063cr3t-v4lue'`,
    `alter role a password U&'s3cr3t\\002Dv4lue'`,
    `alter role a password u&'s3cr3t!002Dv4lue' uescape '!'`,
    `alter role a password $$s3cr3t-v4lue$$`,
    `alter role a password $of$s3cr3t-$$-v4lue$of$`,
    `alter role a password N's3cr3t-v4lue'`,
    `alter role a password 's3cr3t-\nv4lue'`,
    `alter role a password '; s3cr3t-v4lue'`,
    `alter role a password '--s3cr3t-v4lue'`,
    `alter role a password '/*s3cr3t-v4lue*/'`,
    `alter role a password 's3cr3t-v4lue`,
    `alter role a password $$s3cr3t-v4lue`,
  ],
  'a literal of several lines': [
    `alter role a password 's3cr3t'\n'-v4lue'`,
    `alter role a password 's3cr3t'  \r\n\t '-v4lue'`,
    `alter role a password 's3cr3t' -- rest\n '-v4lue'`,
    `alter role a password E's3cr3t'\n'\\'-v4lue'`,
    `alter role a password U&'s3cr3t'\n'-v4lue' uescape '!'`,
  ],
  'comments between': [
    `alter role a password/**/'s3cr3t-v4lue'`,
    `alter role a password -- to be changed\n's3cr3t-v4lue'`,
    `alter role a password /* a /* b */ c */ 's3cr3t-v4lue'`,
    `alter role a /* it's */ password 's3cr3t-v4lue'`,
    `alter role a password -- it's\n 's3cr3t-v4lue'`,
  ],
  'a connection string': [
    `create subscription a connection 'host=h password=s3cr3t-v4lue' publication p`,
    `create subscription a connection 'host=h password = ''s3cr3t v4lue'' user=u' publication p`,
    `create subscription a connection 'password=s3cr3t\\ v4lue' publication p`,
    `create subscription a connection E'host=h password=\\'s3cr3t v4lue\\'' publication p`,
    `create subscription a connection $$host=h password='s3cr3t v4lue'$$ publication p`,
    `create subscription a connection $$host=h password='s3cr3t\\' v4lue'$$ publication p`,
    `create subscription a connection U&'host=h password=s3cr3t\\002Dv4lue' publication p`,
    `create subscription a connection U&'host=h p\\0061ssword=s3cr3t-v4lue' publication p`,
    `create subscription a connection E'host=h p\\x61ssword=s3cr3t-v4lue' publication p`,
    `create subscription a connection 'host=h pass'\n'word=s3cr3t-v4lue' publication p`,
    `create subscription a connection 'postgres://u:s3cr3t-v4lue@h/d' publication p`,
    `create subscription a connection 'postgres://h/d?user=u&password=s3cr3t-v4lue' publication p`,
    `create subscription a connection U&'postgres\\003A//u:s3cr3t-v4lue@h/d' publication p`,
    `alter subscription a connection 'host=h password=s3cr3t-v4lue'`,
    `alter subscription a connection 'sslpassword=s3cr3t-v4lue host=h'`,
    `select dblink_connect('host=h password=s3cr3t-v4lue')`,
    `select dblink_connect('name', E'host=h\\tpassword=s3cr3t-v4lue')`,
    `select * from dblink('password=s3cr3t-v4lue', 'select 1') as t (a int)`,
    `select dblink_connect('host=h password=' || 's3cr3t-v4lue')`,
  ],
  'an option': [
    `create user mapping for a server s options (user 'u', password 's3cr3t-v4lue')`,
    `create user mapping for a server s options ("password" 's3cr3t-v4lue')`,
    `create user mapping for a server s options (U&"p\\0061ssword" 's3cr3t-v4lue')`,
    `create user mapping for a server s options (U&"p!0061ssword" UESCAPE '!' 's3cr3t-v4lue')`,
    `create user mapping for a server s options (U&"password" UESCAPE '!' 's3cr3t-v4lue')`,
    `create user mapping for a server s options (password U&'s3cr3t\\002Dv4lue')`,
    `create user mapping for a server s options (password $$s3cr3t-v4lue$$, user 'u')`,
    `alter user mapping for a server s options (set password 's3cr3t-v4lue')`,
    `alter user mapping for a server s options (add /* */ password /* */ 's3cr3t-v4lue')`,
    `create server s foreign data wrapper f options (host 'h', passwd 's3cr3t-v4lue')`,
    `create server s foreign data wrapper f options (ssl_password 's3cr3t-v4lue')`,
  ],
  'a setting': [
    `set app.password = 's3cr3t-v4lue'`,
    `set local app.db_password to 's3cr3t-v4lue'`,
    `set password = s3cr3t`,
    `alter role a set app.password = 's3cr3t-v4lue'`,
    `alter database d set app.password to 's3cr3t-v4lue'`,
    `select set_config('app.password', 's3cr3t-v4lue', false)`,
    `select set_config(E'app.password', E's3cr3t-v4lue', false)`,
    `select pg_catalog.set_config($$app.password$$, $$s3cr3t-v4lue$$, true)`,
    `select set_config(setting_name => 'app.password', new_value => 's3cr3t-v4lue', is_local => true)`,
  ],
  'SQL in SQL': [
    `do $$ begin execute 'alter role a password ''s3cr3t-v4lue'''; end $$`,
    `do $$ begin execute format('alter role a password %L', 's3cr3t-v4lue'); end $$`,
    `do $of$ begin alter role a password $$s3cr3t-v4lue$$; end $of$`,
    `do E'begin alter role a password \\'s3cr3t-v4lue\\'; end'`,
    `create function f() returns void language sql as $$ alter role a password 's3cr3t-v4lue' $$`,
    `select dblink_exec('host=h', 'alter role a password ''s3cr3t-v4lue''')`,
  ],
  'rows and calls': [
    `update users set password = 's3cr3t-v4lue' where id = 1`,
    `update users set "password" = crypt('s3cr3t-v4lue', gen_salt('bf'))`,
    `select add_user(password => 's3cr3t-v4lue')`,
    `select add_user(password := 's3cr3t-v4lue')`,
    `select jsonb_build_object('password', 's3cr3t-v4lue')`,
    `select '{"password": "s3cr3t-v4lue"}'::jsonb`,
    `select '{"password":"s3cr3t\\"-v4lue"}'::jsonb`,
  ],
}

const all = Object.entries(forms).flatMap(([title, texts]) => texts.map((sql) => [title, sql] as const))

describe('a password in SQL', () => {
  test('is looked for in more than 51 forms', () => {
    expect(all.length).toBeGreaterThan(51)
  })

  test.each(all)('is redacted in %s: %s', (_, sql) => {
    expectHidden(redact(sql))
  })

  test.each(all)('is redacted in %s, in the message of an error: %s', (_, sql) => {
    expectHidden(redact(`${sql} - syntax error at or near "'s3cr3t-v4lue'"`.replace(/"'s3cr3t-v4lue'"$/, '"x"')))
  })

  test.each([
    'create table accounts (password text, password_hash text not null)',
    `select password from accounts where name = 'a'`,
    `create policy only_own on accounts using (owner = 'a')`,
    `set password_encryption = 'scram-sha-256'`,
    `comment on column accounts.password is 'hashed'`,
    'password authentication failed for user "a"',
    `select 'reset your password' as title, 'b' as other`,
  ])('is not seen where there is none: %s', (sql) => {
    expect(redact(sql)).toBe(sql)
  })
})

describe('an error', () => {
  const cause = Object.assign(new Error(`alter role a password 's3cr3t-v4lue' - permission denied`), { code: '42501' })
  const errors = [
    new PgvectorMigrationError('INSUFFICIENT_PRIVILEGE', { statement: 'ALTER ROLE', role: 'a' }, { cause }),
    new PgvectorMigrationError(
      'PLAN_FAILED',
      { migration: '001', statement: redact(`alter role a password 's3cr3t-v4lue'`), isApplied: false },
      { cause },
    ),
  ]

  test.each(errors)('shows no password when it is inspected or becomes JSON: $code', (error) => {
    expectHidden(inspect(error))
    expectHidden(inspect({ error }, { depth: 10, showHidden: true }))
    expectHidden(JSON.stringify(error))
    expectHidden(String(error.stack))
    expectHidden(error.message)
    expect(error.cause).toBe(cause)
  })

  test('keeps its code, hint and message in JSON', () => {
    const [error] = errors
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({
      code: 'INSUFFICIENT_PRIVILEGE',
      message: messages.INSUFFICIENT_PRIVILEGE({ statement: 'ALTER ROLE', role: 'a' }).message,
      hint: expect.any(String),
      details: { role: 'a' },
    })
  })
})

function expectHidden(text: string): void {
  expect(text).not.toMatch(/s3cr3t|v4lue|\\x73/i)
}
