import type { Knex } from 'knex'

import { sessionOf } from '../src/database/session.ts'
import { ensurePgvector, migrateToLatest } from '../src/index.ts'
import { diagnose, type Finding } from '../src/doctor.ts'
import { defaultDeadlines as deadlines } from '../src/database/deadlines.ts'
import { withRunLock } from '../src/migrator/lock/run-lock.ts'
import { settingsOf } from '../src/migrator/settings.ts'
import { describeOnOldPostgres, describeOnServers, describeWithoutPgvector } from './support/databases.ts'
import { errorsOf, follow, levelsOf, of, source, two } from './support/findings.ts'
import { hasPgBouncer, startPgBouncer } from './support/pgbouncer.ts'
import { rolledBack } from './support/rolled-back.ts'

const silent = { logger: false } as const

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

  test('is reported with the statements that build it again', async () => {
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

  test('of an index that is there already leaves a copy, which the next step drops', async () => {
    const { knex, connect } = database()
    const writer = await openWriter(knex)
    await writer.commit()
    await knex.raw(build)
    const other = await knex.transaction()
    await other.raw(`insert into documents values ('[1,2,3]')`)
    const builder = connect({ pool: { min: 1, max: 1 } })
    await builder.raw(`set lock_timeout = '100ms'`)
    await expect(builder.raw('reindex index concurrently documents_idx')).rejects.toMatchObject({ code: '55P03' })
    await other.commit()
    const [finding] = of(await diagnose(knex, two), 'indexes')
    expect(finding).toMatchObject({ level: 'warning', next: 'npx knex-pgvector index repair' })
    await follow(knex, finding)
    expect(of(await diagnose(knex, two), 'indexes')).toMatchObject([
      { level: 'ok', message: 'all valid: public.documents_idx (hnsw)' },
    ])
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
  test('is held by a running migration, while one runs', async () => {
    const { knex, connect } = database()
    const other = connect()
    const seen: Finding[] = []
    const looking = source(['001_first'], async () => {
      seen.push(...of(await diagnose(other, two), 'lock'))
    })
    await migrateToLatest(knex, { migrationSource: looking })
    expect(seen).toMatchObject([
      {
        level: 'ok',
        message: expect.stringMatching(new RegExp(`running migration: migrateToLatest by process ${process.pid} on `)),
      },
    ])
  })

  test('is known to be left behind when the connection of its holder is gone', async () => {
    const { knex, connect } = database()
    await migrateToLatest(knex, two)
    const { tables } = settingsOf(sessionOf(knex))
    const options = { command: 'up', wait: 0, isSingle: false, deadlines, onKept: () => undefined }
    await withRunLock(sessionOf(connect()), tables, options, async () => {
      await knex.raw(
        `select pg_terminate_backend(pid, 10000) from pg_locks join pg_database on datname = current_database()
      where locktype = 'advisory' and database = pg_database.oid`,
      )
      expect(of(await diagnose(knex, two), 'lock')).toMatchObject([
        {
          level: 'warning',
          message: expect.stringMatching(/^left behind by a run that lost its connection: up by process \d+ on /),
        },
      ])
    })
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
        { level: 'unknown', message: 'could not be checked: permission denied for table knex_migrations_lock' },
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

  test('may not use the schema of the extension, and sees which grant is missing', async () => {
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
  test('sees which package to install', async () => {
    const { knex, major } = database()
    expect(of(await diagnose(knex, two), 'extension')).toMatchObject([
      { level: 'error', next: expect.stringContaining(`apt install postgresql-${major}-pgvector`) },
    ])
  })
})

describeOnOldPostgres('a server that is too old', (database) => {
  test('is reported, and everything else is still checked', async () => {
    const findings = await diagnose(database().knex, two)
    expect(errorsOf(findings)).toMatchObject([{ check: 'server' }])
    expect(levelsOf(findings, 'migrations')).toEqual(['ok'])
  })
})

const MOST_LOOKS = 10_000

async function until(knex: Knex, condition: string): Promise<void> {
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const { rows } = await knex.raw<{ rows: [{ is_so: boolean }] }>(`select ${condition} as is_so`)
    if (rows[0].is_so) return
  }
  throw new Error(`it never came to be that ${condition}`)
}
