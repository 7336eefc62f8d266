import { ensurePgvector, migrateToLatest, migrationSource } from '../src/index.ts'
import { diagnose, type Check, type Finding } from '../src/doctor.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { errorsOf, follow, levelsOf, of, source, two } from './support/findings.ts'
import { statementsOf } from './support/recorder.ts'
import { rolledBack } from './support/rolled-back.ts'

const silent = { logger: false } as const

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

  test('sees in a transaction what it has not committed, and leaves it usable', async () => {
    const { knex } = database()
    await rolledBack(knex, async (trx) => {
      await ensurePgvector(trx, silent)
      expect(levelsOf(await diagnose(trx, two), 'extension')).toEqual(['ok'])
      expect((await trx.raw('select 1 as one')).rows).toEqual([{ one: 1 }])
      await trx.raw('create table still_writable ()')
    })
    expect(levelsOf(await diagnose(knex, two), 'extension')).not.toEqual(['ok'])
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
    await knex.raw(`update pg_operator set oprname = '<++>' where oprname = '<+>'`)
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
      update pg_class set reltuples = 400000 where relname = 'large';
      update pg_class set reltuples = 100000 where relname = 'small'`)
    const [finding] = of(await diagnose(knex, two), 'settings')
    expect(finding?.level).toBe('warning')
    expect(finding?.message).toMatch(
      /the index large_idx on large \(halfvec\(1536\), m = 24\) needs about 1\.5 GB .* of its 400,000 rows fit; 1 more/,
    )
    await follow(knex, { ...finding, next: finding?.next?.split(' --')[0] ?? '' } as Finding)
  })

  test('reports an invalid index, and its next step repairs it', async () => {
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
    const [finding] = of(
      await diagnose(knex, { migrationSource: migrationSource({ directory: 'no-such-folder' }) }),
      'migrations',
    )
    expect(finding).toMatchObject({
      level: 'error',
      message: expect.stringMatching(/^The migrations folder .*no-such-folder does not exist$/),
    })
  })

  test('looks off the search path, and its next step puts the schema there', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { ...silent, schema: 'My "vectors"', createSchema: true })
    const [works, finding] = of(await diagnose(knex, two), 'extension')
    expect(works?.level).toBe('ok')
    expect(finding?.next).toMatch(/ SET search_path = .*public, "My ""vectors""";$/)
    await knex.raw((finding?.next ?? '').replace(/^ALTER ROLE .* SET /, 'set '))
    expect(levelsOf(await diagnose(knex, two), 'extension')).toEqual(['ok'])
  })
})
