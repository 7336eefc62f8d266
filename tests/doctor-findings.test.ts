import type { PgvectorState } from '../src/index.ts'
import type { Finding } from '../src/doctor.ts'
import { ensureOptions } from '../src/core/options.ts'
import { advisoryFindings } from '../src/doctor/advisories.ts'
import { conflictFindings } from '../src/doctor/conflicts.ts'
import { connectionFinding } from '../src/doctor/connection.ts'
import { absenceFindings, reachFindings, requirementFindings, skewFindings } from '../src/doctor/extension.ts'
import { poolerFindings } from '../src/doctor/pooler.ts'
import { endOfLife } from '../src/doctor/postgres-releases.ts'
import { rightsFindings } from '../src/doctor/rights.ts'
import { serverFindings } from '../src/doctor/server.ts'
import { healthy, withVersion } from './support/healthy-state.ts'

const needs = ensureOptions().parse({})
const session = { database: 'shop', role: 'app', searchPath: '"$user", public' }
const reach = { vector: { name: 'public.vector', extension: 'vector' }, mayUseSchema: true }
const tables = { migrations: '"knex_migrations"', lock: '"knex_migrations_lock"', runs: '"knex_migrations_runs"' }

const levels = (findings: readonly Finding[]): string[] => findings.map(({ level }) => level)
const steps = (findings: readonly Finding[]): (string | undefined)[] => findings.map(({ next }) => next)

describe('the server', () => {
  test.each([
    { major: 13, version: '13.23', today: '2025-01-01', level: 'error', said: 'PostgreSQL 14+ required' },
    { major: 14, version: '14.20', today: '2026-11-11', level: 'ok', said: 'gets fixes until 2026-11-12' },
    { major: 14, version: '14.20', today: '2026-11-12', level: 'warning', said: 'no fixes since 2026-11-12' },
    { major: 99, version: '99.1', today: '2026-11-12', level: 'ok', said: 'PostgreSQL 99.1' },
  ])('$version on $today: $level', ({ major, version, today, level, said }) => {
    const findings = serverFindings({ ...healthy, server: { version, major, description: '' } }, today)
    expect(findings).toEqual([expect.objectContaining({ level, message: expect.stringContaining(said) })])
  })

  test('knows the end of every major version that this library works on today', () => {
    expect([14, 15, 16, 17, 18].map((major) => endOfLife(major))).not.toContain(null)
  })

  test('that is a standby is a warning where pgvector is enabled, and an error where it would have to be', () => {
    const standby: PgvectorState = { ...healthy, readOnly: { reason: 'standby', primary: null } }
    expect(levels(serverFindings(standby, '2026-01-01'))).toEqual(['ok', 'warning'])
    expect(levels(serverFindings({ ...standby, installed: null }, '2026-01-01'))).toEqual(['ok', 'error'])
  })
})

describe('the extension', () => {
  test('that is older than required is an error with the update as the next step', () => {
    const [finding] = requirementFindings(withVersion('0.4.4', '0.8.7'), needs)
    expect(finding?.level).toBe('error')
    expect(finding?.message).toBe('pgvector version 0.4.4 < required 0.5.0')
    expect(finding?.next).toContain('ALTER EXTENSION vector UPDATE;')
  })

  test.each([
    { name: 'the same', state: withVersion('0.8.7'), next: [] },
    {
      name: 'newer',
      state: withVersion('0.8.0', '0.8.7'),
      next: [/^ALTER EXTENSION vector UPDATE; -- as its owner postgres/],
    },
    { name: 'older', state: withVersion('0.8.7', '0.8.0'), next: [/^Install pgvector 0\.8\.7/] },
    { name: 'gone', state: { ...healthy, available: null }, next: [/again\.$/] },
  ])('whose files are $name', ({ state, next }) => {
    expect(steps(skewFindings(state))).toEqual(next.map((each) => expect.stringMatching(each)))
  })

  test('is updated without further words by its owner', () => {
    const own: PgvectorState = { ...withVersion('0.8.0', '0.8.7'), owner: { name: 'app', isCurrentRole: true } }
    expect(steps(skewFindings(own))).toEqual(['ALTER EXTENSION vector UPDATE;'])
  })

  test('that is not enabled is waited for while migrations are pending, and missed when none is', () => {
    const absent: PgvectorState = { ...healthy, installed: null }
    expect(absenceFindings(absent, true)).toMatchObject([{ level: 'warning', next: 'npx knex-pgvector up' }])
    expect(absenceFindings(absent, false)).toMatchObject([{ level: 'error', next: 'CREATE EXTENSION vector;' }])
    expect(absenceFindings(healthy, false)).toEqual([])
  })

  test.each([
    ['"$user", public', 'ALTER ROLE "app" IN DATABASE "shop" SET search_path = "$user", public, "public";'],
    ['', 'ALTER ROLE "app" IN DATABASE "shop" SET search_path = "public";'],
  ])('off the search path [%s] comes with the statement that puts it there', (searchPath, next) => {
    const findings = reachFindings(healthy, { ...reach, vector: null }, { ...session, searchPath })
    expect(findings).toMatchObject([{ level: 'warning', next }])
  })

  test('in a schema that the role may not use comes with the grant', () => {
    expect(reachFindings(healthy, { ...reach, mayUseSchema: false }, session)).toMatchObject([
      { level: 'warning', next: 'GRANT USAGE ON SCHEMA "public" TO "app";' },
    ])
  })
})

describe('advisories', () => {
  const indexes = [{ name: 'public.documents_idx', method: 'hnsw' }] as const

  test('hold for the library, which the files of the server tell, and not for the SQL objects', () => {
    expect(advisoryFindings(withVersion('0.8.1', '0.8.7'), [])).toMatchObject([{ level: 'ok' }])
  })

  test('name each problem, the release to install, and the indexes to rebuild', () => {
    const findings = advisoryFindings(withVersion('0.8.0'), indexes)
    expect(levels(findings)).toEqual(['warning', 'warning', 'warning'])
    expect(findings.map(({ message }) => message.split(' ')[0])).toEqual([
      'pgvector#1036',
      'pgvector#988',
      'CVE-2026-3172',
    ])
    expect(new Set(findings.map(({ next }) => /pgvector (\S+) or newer/.exec(next ?? '')?.[1]))).toEqual(
      new Set(['0.8.7']),
    )
    expect(findings.map(({ next }) => next?.includes('REINDEX INDEX CONCURRENTLY public.documents_idx;'))).toEqual([
      false,
      true,
      false,
    ])
  })

  test('still ask for a rebuild if the library was fixed after the index was built', () => {
    expect(advisoryFindings(withVersion('0.8.0', '0.8.7'), indexes)).toMatchObject([
      { level: 'warning', next: 'REINDEX INDEX CONCURRENTLY public.documents_idx;' },
    ])
  })

  test('say what users of a host must do', () => {
    const [finding] = advisoryFindings({ ...withVersion('0.8.0'), provider: 'rds' }, [])
    expect(finding?.next).toBe(
      'Upgrade the instance to a newer minor engine version; then: ALTER EXTENSION vector UPDATE;',
    )
  })
})

describe('conflicts', () => {
  const table = { name: 'vector', kind: 'table', schema: 'public', extension: null } as const
  const absent: PgvectorState = { ...healthy, installed: null }

  test('are errors where something stands where pgvector would go', () => {
    expect(conflictFindings({ ...absent, lookalikes: [table] }, needs, reach)).toMatchObject([
      { level: 'error', message: "Type 'vector' already exists from different source" },
    ])
    const hnsw = { name: 'hnsw', extension: 'embedding' }
    expect(conflictFindings({ ...healthy, accessMethods: [hnsw] }, needs, reach)).toMatchObject([
      { level: 'error', message: "Access method 'hnsw' already exists from different source" },
    ])
  })

  test('are a warning where another type is what SQL means by vector', () => {
    const shadow = { ...reach, vector: { name: 'vectors.vector', extension: 'vectors' } }
    expect(conflictFindings(healthy, needs, shadow)).toMatchObject([
      { level: 'warning', message: expect.stringContaining('vectors.vector of the extension vectors') },
    ])
  })

  test('are none where it is in another schema', () => {
    const elsewhere = { ...table, schema: 'reports' }
    expect(conflictFindings({ ...healthy, lookalikes: [elsewhere] }, needs, reach)).toMatchObject([
      { level: 'ok', message: 'not in the way, though named alike: table "reports"."vector"' },
    ])
  })
})

describe('rights', () => {
  const all = { exists: true, isWritable: true }
  const writable = {
    isKnown: true,
    value: { migrations: all, lock: all, runs: all, sequence: null, distrusted: [] },
  } as const

  test.each<[string, Partial<PgvectorState>, Finding['level'][]]>([
    ['a superuser may do everything', { role: { ...healthy.role, superuser: true } }, ['ok']],
    ['any role may use what is enabled', {}, ['ok']],
    ['a plain role may not enable it on a stock server', { installed: null }, ['error']],
    ['a managed host decides for itself', { installed: null, provider: 'rds' }, ['unknown']],
    [
      'a role that may create in the database may enable a trusted extension',
      {
        installed: null,
        available: { defaultVersion: '0.8.7', versions: [], trusted: true },
        role: { ...healthy.role, canCreateInDatabase: true },
      },
      ['ok'],
    ],
    ['a log that cannot be written is a warning', { log: { ...healthy.log, writable: false } }, ['warning']],
  ])('%s', (_title, state, expected) => {
    expect(levels(rightsFindings({ ...healthy, ...state }, tables, writable))).toEqual(expected)
  })

  test('list the grants that a run of migrations needs', () => {
    const none = { exists: true, isWritable: false }
    const value = {
      migrations: none,
      lock: none,
      runs: { exists: false, isWritable: false },
      sequence: { name: 'knex_migrations_id_seq', isUsable: false },
      distrusted: [],
    }
    expect(steps(rightsFindings(healthy, tables, { isKnown: true, value }))).toEqual([
      [
        'GRANT SELECT, INSERT, DELETE ON "knex_migrations" TO "app";',
        'GRANT SELECT, INSERT, UPDATE, DELETE ON "knex_migrations_lock" TO "app";',
        'GRANT USAGE ON SEQUENCE knex_migrations_id_seq TO "app";',
      ].join('\n'),
    ])
  })
})

describe('the connection', () => {
  test.each([
    ['a refused one', { code: 'ECONNREFUSED' }, /Start the server/],
    ['an unknown host', { code: 'ENOTFOUND' }, /host name/],
    ['a wrong password', { code: '28P01' }, /user or the password/],
    ['a missing database', { code: '3D000' }, /createdb/],
    ['a full server', { code: '53300' }, /no connection left/],
    ['a server that starts', { code: '57P03' }, /starting or stopping/],
    ['a certificate that nobody signed', { message: 'self-signed certificate' }, /ssl: \{ ca \}/],
    ['no answer', { message: 'Knex: Timeout acquiring a connection. The pool is probably full.' }, /No answer/],
  ])('%s is explained', (_title, fields, next) => {
    const finding = connectionFinding(Object.assign(new Error('it failed'), fields))
    expect(finding).toMatchObject({ level: 'error', check: 'connection', next: expect.stringMatching(next) })
  })

  test('to a name with several addresses says what became of each', () => {
    const tried = ['connect ECONNREFUSED ::1:5432', 'connect ECONNREFUSED 127.0.0.1:5432']
    const errors = tried.map((message) => new Error(message))
    const error = Object.assign(new AggregateError(errors), { code: 'ECONNREFUSED' })
    expect(connectionFinding(error)?.message).toBe(`No connection to the database: ${tried.join(', ')}`)
  })

  test('is not blamed for another error', () => {
    expect(connectionFinding(Object.assign(new Error('syntax error'), { code: '42601' }))).toBeNull()
    expect(connectionFinding(new TypeError('undefined is not a function'))).toBeNull()
  })

  test.each([
    ['one process each is direct', { first: 1, second: 2, firstAgain: 1 }, []],
    ['one process for both is pooled', { first: 1, second: 1, firstAgain: 1 }, ['ok']],
    ['a process that changed is pooled', { first: 1, second: 2, firstAgain: 2 }, ['ok']],
    ['no second connection is a warning', { refusal: 'too many connections' }, ['warning']],
  ])('%s', (_title, backends, expected) => {
    expect(levels(poolerFindings(backends))).toEqual(expected)
  })
})
