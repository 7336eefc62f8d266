import { dropPgvector, ensurePgvector, verifyPgvector } from '../src/index.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { recordingLogger } from './support/recorder.ts'
import { rolledBack } from './support/rolled-back.ts'

const silent = { logger: false } as const

describeOnEveryDatabase('the schema of the extension, where none was asked for,', (database) => {
  test.each(['tenant_1, public', 'public, tenant_1', '"$user", tenant_1, public'])('is public on the path %s', (path) =>
    rolledBack(database().knex, async (trx) => {
      await trx.raw(`create schema tenant_1; set local search_path = ${path}`)
      const result = await ensurePgvector(trx, silent)
      expect(result).toMatchObject({ status: 'created', schema: 'public' })
      expect(result.warnings.filter((warning) => warning.includes('schema'))).toEqual([])
    }),
  )

  test('is the first of a path without public, and the warning names the option', () =>
    rolledBack(database().knex, async (trx) => {
      await trx.raw('create schema tenant_1; create schema tenant_2; set local search_path = tenant_1, tenant_2')
      const logger = recordingLogger()
      expect(await ensurePgvector(trx, { logger })).toMatchObject({ status: 'created', schema: 'tenant_1' })
      expect(logger.warnings).toContainEqual(expect.stringContaining(`ensurePgvector(knex, { schema: 'extensions' })`))
    }))

  test('is where its log is found when another search path drops it', () =>
    rolledBack(database().knex, async (trx) => {
      await trx.raw('create schema tenant_1; create schema tenant_2; set local search_path = tenant_1')
      await ensurePgvector(trx, silent)
      await trx.raw('set local search_path = tenant_2')
      expect(await dropPgvector(trx, silent)).toMatchObject({ status: 'dropped' })
    }))
})

describeOnEveryDatabase('an extension in public that one tenant created', (database) => {
  test('is kept for another tenant, which sees which log has it, and is dropped with that log', () =>
    rolledBack(database().knex, async (trx) => {
      await trx.raw('create schema tenant_1; create schema tenant_2; set local search_path = tenant_1, public')
      expect(await ensurePgvector(trx, silent)).toMatchObject({ status: 'created', schema: 'public' })
      await trx.raw('set local search_path = tenant_2, public')
      expect(await ensurePgvector(trx, silent)).toMatchObject({ status: 'unchanged' })
      const { reason, warnings } = await dropPgvector(trx, silent)
      expect(reason).toBe('not-ours')
      expect(warnings[0]).toContain(`another log in the schema "tenant_1"`)
      expect(warnings[0]).toContain(`dropPgvector(knex, { log: { schema: 'tenant_1' } })`)
      expect(await dropPgvector(trx, { ...silent, log: { schema: 'tenant_1' } })).toMatchObject({ status: 'dropped' })
    }))
})

describeOnEveryDatabase('an extension that is enabled', (database) => {
  test('is reported as off the search path, with what puts it there', () =>
    rolledBack(database().knex, async (trx) => {
      await trx.raw('create schema "My extensions"')
      await ensurePgvector(trx, { ...silent, schema: 'My extensions' })
      const { warnings } = await ensurePgvector(trx, silent)
      expect(warnings).toContainEqual(
        expect.stringMatching(/ALTER ROLE "\w+" IN DATABASE "\w+" SET search_path = .*public, "My extensions";/),
      )
      await trx.raw(`set local search_path = "$user", public, "My extensions"`)
      expect((await ensurePgvector(trx, silent)).warnings.filter((each) => each.includes('search_path'))).toEqual([])
    }))

  test('is refused to a role that may not use its schema, also by one that has seen it before', () =>
    rolledBack(database().knex, async (trx) => {
      await trx.raw('create schema extensions; create role test_without_usage')
      await ensurePgvector(trx, { ...silent, schema: 'extensions' })
      expect((await ensurePgvector(trx, silent)).status).toBe('unchanged')
      await trx.raw('set local role test_without_usage')
      for (const run of [ensurePgvector, verifyPgvector]) {
        const { message, hint } = await expectError('INSUFFICIENT_PRIVILEGE', () => run(trx, silent))
        expect(message).toBe('Insufficient privileges to use the schema "extensions"')
        expect(hint).toContain('GRANT USAGE ON SCHEMA "extensions" TO "test_without_usage";')
      }
    }))

  test('has what is known to be wrong with it in its warnings at every start', () =>
    rolledBack(database().knex, async (trx) => {
      await ensurePgvector(trx, silent)
      await trx.raw(`update pg_extension set extversion = '0.8.0' where extname = 'vector'`)
      for (let starts = 0; starts < 2; starts++) {
        const { status, warnings } = await ensurePgvector(trx, silent)
        expect(status).toBe('unchanged')
        expect(warnings).toContainEqual(expect.stringMatching(/CVE-2026-3172: .* ALTER EXTENSION vector UPDATE;$/))
      }
    }))
})

describeOnServers('an extension whose library does not work', (database) => {
  test.each([
    ['gives wrong answers', `prosrc = 'inner_product'`],
    ['is gone', `probin = '$libdir/no_such_library'`],
  ])('and %s passes the look at the catalogs, and no use of it', (_, change) =>
    rolledBack(database().knex, async (trx) => {
      await ensurePgvector(trx, silent)
      await trx.raw(`update pg_proc set ${change} where proname = 'l2_distance' and proargtypes[0] = 'vector'::regtype`)
      expect((await ensurePgvector(trx, silent)).status).toBe('unchanged')
      await expectError('VERIFICATION_FAILED', () => ensurePgvector(trx, { ...silent, verify: true }))
      await expect(trx.raw('select 1')).resolves.toBeDefined()
    }),
  )

  test('is used at every start where that was asked for, and passes where it works', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    expect(await ensurePgvector(knex, { ...silent, verify: true })).toMatchObject({ status: 'unchanged' })
  })
})
