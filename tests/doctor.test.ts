import type { Knex } from 'knex'

import { diagnose, ensurePgvector, migrateToLatest, type Check, type Finding } from '../src/index.ts'
import { takeLease } from '../src/runner/lease.ts'
import { settingsOf } from '../src/runner/settings.ts'
import {
  describeOnEveryDatabase,
  describeOnOldPostgres,
  describeOnServers,
  describeWithoutPgvector,
} from './support/databases.ts'
import { hasPgBouncer, startPgBouncer } from './support/pgbouncer.ts'
import { statementsOf } from './support/recorder.ts'
import { rolledBack } from './support/rolled-back.ts'

const silent = { logger: false } as const

/** Migrations of these names that do nothing, unless they are told to. */
function source(names: readonly string[], up?: (knex: Knex) => Promise<void>): Knex.MigrationSource<string> {
  const nothing = (): Promise<void> => Promise.resolve()
  return {
    getMigrations: () => Promise.resolve([...names]),
    getMigrationName: (name) => name,
    getMigration: () => Promise.resolve({ up: up ?? nothing, down: nothing }),
  }
}

const two = { migrationSource: source(['001_first', '002_second']) }

const of = (findings: readonly Finding[], check: Check): Finding[] => findings.filter((each) => each.check === check)
const levelsOf = (findings: readonly Finding[], check: Check): string[] => of(findings, check).map(({ level }) => level)
const errorsOf = (findings: readonly Finding[]): Finding[] => findings.filter(({ level }) => level === 'error')

/** Runs what a finding says is next: the lines of SQL, each by itself. */
async function follow(knex: Knex, finding: Finding | undefined): Promise<void> {
  for (const statement of (finding?.next ?? 'a finding without a next step').split('\n')) await knex.raw(statement)
}

describeOnEveryDatabase('diagnose', (database) => {
  test('finds nothing wrong with a database that was migrated, and reports on everything', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await migrateToLatest(knex, two)
    const findings = await diagnose(knex, two)
    const checks: Check[] = ['connection', 'server', 'provider', 'rights', 'extension', 'advisories', 'conflicts']
    const others: Check[] = ['indexes', 'settings', 'migrations', 'lock']
    expect([...new Set(findings.map(({ check }) => check))]).toEqual([...checks, ...others])
    expect(errorsOf(findings)).toEqual([])
    expect(of(findings, 'migrations')).toEqual([{ level: 'ok', check: 'migrations', message: '2 applied, 0 pending' }])
    expect(of(findings, 'lock')).toEqual([{ level: 'ok', check: 'lock', message: 'free' }])
  })

  test('sends nothing that writes', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    const statements = await statementsOf(knex, () => diagnose(knex, two))
    for (const statement of statements) {
      expect(statement.trim()).toMatch(/^(select|with|begin|commit|savepoint|release|set local lock_timeout)\b/i)
    }
  })

  test('says what to do where the extension is missing: wait for the migration, or create it', async () => {
    const { knex } = database()
    expect(of(await diagnose(knex, two), 'extension')).toMatchObject([
      { level: 'warning', next: 'npx knex-pgvector up' },
    ])
    await migrateToLatest(knex, two)
    const [finding] = of(await diagnose(knex, two), 'extension')
    expect(finding).toMatchObject({ level: 'error', next: 'CREATE EXTENSION vector;' })
    await follow(knex, finding)
    expect(levelsOf(await diagnose(knex, two), 'extension')).toEqual(['ok'])
  })

  test('tells an extension that is too old, and one that lags behind the files of the server', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`update pg_extension set extversion = '0.4.4' where extname = 'vector'`)
    expect(of(await diagnose(knex, two), 'extension')).toMatchObject([
      { level: 'error', message: 'pgvector version 0.4.4 < required 0.5.0' },
    ])
    await knex.raw(`update pg_extension set extversion = '0.7.4' where extname = 'vector'`)
    expect(of(await diagnose(knex, two), 'extension')).toMatchObject([
      { level: 'ok' },
      { level: 'warning', next: 'ALTER EXTENSION vector UPDATE;' },
    ])
  })

  test('tries the extension, and says what does not work', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('alter extension vector drop operator <+> (vector, vector); drop operator <+> (vector, vector)')
    const [finding] = of(await diagnose(knex, two), 'extension')
    expect(finding?.level).toBe('error')
    expect(finding?.message).toContain('Extension verification failed: vector type not functional')
  })

  test('knows the advisories of the release', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, silent)
    const ids = of(await diagnose(knex, two), 'advisories').map(({ message }) => message.split(' ')[0])
    expect(ids.includes('CVE-2026-3172')).toBe(pgvector === '0.8.0')
  })

  test('computes whether the indexes there are, and those that may come, can be built in memory', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`
      create table small (embedding vector(1536));
      create table large (embedding vector(1536), code bit(8), note text);
      create index large_idx on large using hnsw ((embedding::halfvec(1536)) halfvec_cosine_ops) with (m = 24);
      update pg_class set reltuples = 1000000 where relname = 'large';
      update pg_class set reltuples = 100000 where relname = 'small'`)
    const [finding] = of(await diagnose(knex, two), 'settings')
    expect(finding?.level).toBe('warning')
    expect(finding?.message).toMatch(
      /the index large_idx on large \(halfvec\(1536\), m = 24\) needs about 3\.\d GB .* of its 1,000,000 rows fit; 1 more/,
    )
    await follow(knex, { ...finding, next: finding?.next?.split(' --')[0] ?? '' } as Finding)
  })

  test('tells an index that was left invalid, and its next step mends it', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`
      create schema "My schema";
      create table "My schema"."My documents" (id int unique, embedding vector(3));
      create index "My index" on "My schema"."My documents" using hnsw (embedding vector_l2_ops) where id > 0;
      create index plain on "My schema"."My documents" (id);
      update pg_index set indisvalid = false
      where indexrelid in ('"My schema"."My index"'::regclass, '"My schema".plain'::regclass)`)
    const [vector, plain] = of(await diagnose(knex, two), 'indexes')
    expect(vector).toMatchObject({ level: 'error', message: expect.stringContaining('"My schema"."My index"') })
    expect(plain).toMatchObject({ level: 'warning', next: 'REINDEX INDEX CONCURRENTLY "My schema".plain;' })
    await follow(knex, vector)
    await follow(knex, plain)
    expect(of(await diagnose(knex, two), 'indexes')).toMatchObject([
      { level: 'ok', message: 'all valid: "My schema"."My index" (hnsw)' },
    ])
  })

  test('tells an index that lacks a partition, and its next step adds it', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`
      create table parts (id int, embedding vector(3)) partition by range (id);
      create table parts_1 partition of parts for values from (1) to (2);
      create table parts_2 partition of parts for values from (2) to (3);
      create index parts_idx on only parts using hnsw (embedding vector_l2_ops);
      create index parts_1_idx on parts_1 using hnsw (embedding vector_l2_ops);
      alter index parts_idx attach partition parts_1_idx`)
    const [finding] = of(await diagnose(knex, two), 'indexes')
    expect(finding).toMatchObject({ level: 'error', message: expect.stringContaining('without it are parts_2') })
    await follow(knex, { ...finding, next: finding?.next?.replace('; ', ';\n') ?? '' } as Finding)
    expect(levelsOf(await diagnose(knex, two), 'indexes')).toEqual(['ok'])
  })

  test('tells migrations whose files are gone, and names that are stored with their extension', async () => {
    const { knex } = database()
    await migrateToLatest(knex, { migrationSource: source(['001_first.ts', '002_second.js', '003_third']) })
    const findings = of(await diagnose(knex, two), 'migrations')
    expect(findings).toMatchObject([
      { level: 'error', message: expect.stringContaining('001_first.ts (now 001_first), 002_second.js') },
      { level: 'error', message: 'Applied migrations are missing on disk: 003_third' },
    ])
    await knex.raw((findings[0]?.next ?? '').replaceAll('?', '\\?'))
    await knex('knex_migrations').where({ name: '003_third' }).delete()
    expect(of(await diagnose(knex, two), 'migrations')).toMatchObject([{ message: '2 applied, 0 pending' }])
  })

  test('tells a folder that is not there', async () => {
    const { knex } = database()
    const [finding] = of(await diagnose(knex), 'migrations')
    expect(finding).toMatchObject({ level: 'error', message: expect.stringMatching(/migrations \(ENOENT\)$/) })
  })

  test('looks off the search path, and its next step puts the schema there', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { ...silent, schema: 'My "vectors"', createSchema: true })
    const [works, finding] = of(await diagnose(knex, two), 'extension')
    expect(works?.level).toBe('ok')
    expect(finding?.next).toMatch(/ SET search_path = "\$user", public, "My ""vectors""";$/)
    await knex.raw((finding?.next ?? '').replace(/^ALTER ROLE .* SET /, 'set '))
    expect(levelsOf(await diagnose(knex, two), 'extension')).toEqual(['ok'])
  })
})

describeOnServers('a build that is cut off', (database) => {
  const build = 'create index concurrently documents_idx on documents using hnsw (embedding vector_l2_ops)'

  /** A table that a writer has open, on whom a concurrent build waits with its index not yet valid. */
  async function openWriter(knex: Knex): Promise<Knex.Transaction> {
    await ensurePgvector(knex, silent)
    await knex.raw('create table documents (embedding vector(3))')
    const writer = await knex.transaction()
    await writer.raw(`insert into documents values ('[1,2,3]')`)
    return writer
  }

  test('is told with the statements that build it again', async () => {
    const { knex, connect } = database()
    const writer = await openWriter(knex)
    const builder = connect({ pool: { min: 1, max: 1 } })
    await builder.raw(`set lock_timeout = '100ms'`)
    await expect(builder.raw(build)).rejects.toMatchObject({ code: '55P03' })
    await writer.commit()
    const [finding] = of(await diagnose(knex, two), 'indexes')
    expect(finding).toMatchObject({ level: 'error', message: expect.stringContaining('public.documents_idx') })
    await follow(knex, finding)
    expect(of(await diagnose(knex, two), 'indexes')).toMatchObject([{ level: 'ok' }])
  })

  test('is not taken for one that still runs, not even by a role that may not see of what', async () => {
    const { knex, connect } = database()
    const writer = await openWriter(knex)
    const running = connect().raw(build)
    // A promise of Knex's is sent when somebody waits for it.
    const ended = running.then(() => 'built')
    await until(knex, `exists (select from pg_class where relname = 'documents_idx')`)
    expect(levelsOf(await diagnose(knex, two), 'indexes')).toEqual(['ok', 'unknown'])
    await rolledBack(knex, async (trx) => {
      await trx.raw('create role test_looker; set local role test_looker')
      expect(of(await diagnose(trx, two), 'indexes')).toMatchObject([
        { level: 'ok', message: expect.stringMatching(/^an index is being built by the server process \d+$/) },
        { level: 'unknown' },
      ])
    })
    await writer.commit()
    expect(await ended).toBe('built')
  })
})

describeOnServers('the lock on migrations', (database) => {
  test('is held by a run that lives, while one runs', async () => {
    const { knex, connect } = database()
    const other = connect()
    const seen: Finding[] = []
    const migrationSource = source(['001_first'], async () => {
      seen.push(...of(await diagnose(other, two), 'lock'))
    })
    await migrateToLatest(knex, { migrationSource })
    expect(seen).toMatchObject([
      {
        level: 'ok',
        message: expect.stringMatching(new RegExp(`lives: migrateToLatest by process ${process.pid} on `)),
      },
    ])
  })

  test('is known to be left behind when the connection of its holder is gone', async () => {
    const { knex, connect } = database()
    await migrateToLatest(knex, two)
    const { tables } = settingsOf(knex)
    await takeLease(connect(), tables, { command: 'up', wait: 0, isSingle: false })
    await knex.raw(
      `select pg_terminate_backend(pid, 10000) from pg_locks join pg_database on datname = current_database()
      where locktype = 'advisory' and database = pg_database.oid`,
    )
    expect(of(await diagnose(knex, two), 'lock')).toMatchObject([
      { level: 'warning', message: expect.stringMatching(/^left behind by a run that is gone: up by process \d+ on /) },
    ])
  })

  test('that stock Knex has set is named as such', async () => {
    const { knex } = database()
    await migrateToLatest(knex, two)
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    expect(of(await diagnose(knex, two), 'lock')).toMatchObject([
      { level: 'warning', next: expect.stringMatching(/^npx knex-pgvector unlock --force/) },
    ])
  })
})

describeOnServers('diagnose with few rights', (database) => {
  test('reports to a role that may only read, and says what it may not see', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await migrateToLatest(knex, two)
    await rolledBack(knex, async (trx) => {
      await trx.raw(
        'create role test_looker; grant select on knex_migrations to test_looker; set local role test_looker',
      )
      const findings = await diagnose(trx, two)
      expect(errorsOf(findings)).toEqual([])
      expect(levelsOf(findings, 'rights')).toEqual(['warning', 'warning'])
      expect(of(findings, 'migrations')).toMatchObject([{ level: 'ok', message: '2 applied, 0 pending' }])
      expect(of(findings, 'lock')).toMatchObject([
        { level: 'unknown', message: 'could not be looked at: permission denied for table knex_migrations_lock' },
      ])
      await expect(trx.raw('select 1')).resolves.toBeDefined()
    })
  })

  test('gives the grants that let a role migrate', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await migrateToLatest(knex, two)
    await rolledBack(knex, async (trx) => {
      await trx.raw('create role test_looker; set local role test_looker')
      const grants = of(await diagnose(trx, two), 'rights')
      await trx.raw('reset role')
      for (const finding of grants) await follow(trx, finding)
      await trx.raw('set local role test_looker')
      expect(levelsOf(await diagnose(trx, two), 'rights')).toEqual(['ok'])
    })
  })

  test('may not use the schema of the extension, and is told which grant is missing', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { ...silent, schema: 'extensions', createSchema: true })
    await rolledBack(knex, async (trx) => {
      await trx.raw('create role test_looker; set local role test_looker')
      expect(of(await diagnose(trx, two), 'extension')).toMatchObject([
        { level: 'unknown', message: expect.stringContaining('permission denied for schema extensions') },
        { level: 'warning', next: 'GRANT USAGE ON SCHEMA "extensions" TO "test_looker";' },
      ])
    })
  })

  test('works in a read-only database', async () => {
    const { knex, connect, url } = database()
    await ensurePgvector(knex, silent)
    const { pathname } = new URL(url ?? '')
    await knex.raw(`alter database ${pathname.slice(1)} set default_transaction_read_only = on`)
    const findings = await diagnose(connect(), two)
    expect(errorsOf(findings)).toEqual([])
    expect(of(findings, 'server')).toMatchObject([{ level: 'ok' }, { level: 'warning' }])
  })
})

describeOnServers('diagnose through a pooler', (database) => {
  const testWithPgBouncer = hasPgBouncer || process.env['CI'] === 'true' ? test : test.skip

  testWithPgBouncer('sees a pooler in transaction mode', async () => {
    const { connect, url } = database()
    const pooler = await startPgBouncer(url ?? '')
    try {
      const findings = await diagnose(connect({ connection: pooler.url }), two)
      expect(of(findings, 'connection')[1]).toMatchObject({
        level: 'ok',
        message: expect.stringContaining('PgBouncer'),
      })
    } finally {
      await pooler.stop()
    }
  })

  test('sees none where there is none', async () => {
    expect(of(await diagnose(database().knex, two), 'connection')).toHaveLength(1)
  })
})

describeWithoutPgvector('a server without pgvector', (database) => {
  test('is told which package to install', async () => {
    const { knex, major } = database()
    expect(of(await diagnose(knex, two), 'extension')).toMatchObject([
      { level: 'error', next: expect.stringContaining(`apt install postgresql-${major}-pgvector`) },
    ])
  })
})

describeOnOldPostgres('a server that is too old', (database) => {
  test('is told so, and all that can be looked at is', async () => {
    const findings = await diagnose(database().knex, two)
    expect(errorsOf(findings)).toMatchObject([{ check: 'server' }])
    expect(levelsOf(findings, 'migrations')).toEqual(['ok'])
  })
})

async function until(knex: Knex, condition: string): Promise<void> {
  for (;;) {
    const { rows } = await knex.raw<{ rows: [{ is_so: boolean }] }>(`select ${condition} as is_so`)
    if (rows[0].is_so) return
  }
}
