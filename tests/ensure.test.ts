import { ensurePgvector, verifyPgvector, type EnsureOptions } from '../src/index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { recordingLogger, statementsOf } from './support/recorder.ts'

describeOnEveryDatabase('ensurePgvector', (database) => {
  test('enables pgvector and says which version, where and on what', async () => {
    const { knex, pgvector, major } = database()
    const logger = recordingLogger()
    const result = await ensurePgvector(knex, { logger })
    expect(result).toMatchObject({ status: 'created', version: pgvector, schema: 'public' })
    expect(result.server).toMatch(new RegExp(`^${major}\\.`))
    expect(logger.infos).toEqual([
      expect.stringMatching(
        new RegExp(`^pgvector ${pgvector} enabled in the schema "public" \\(PostgreSQL ${major}\\.`),
      ),
    ])
  })

  test('leaves a vector type that works', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await expect(verifyPgvector(knex)).resolves.toBeUndefined()
    const { rows } = await knex.raw(`select '[1,2,3]'::vector <-> '[1,2,5]' as distance`)
    expect(rows[0].distance).toBe(2)
  })

  test('can run again, and then says that nothing changed', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const logger = recordingLogger()
    const { status, warnings } = await ensurePgvector(knex, { logger })
    expect(status).toBe('unchanged')
    // Known problems of the version are in the result at every start.
    expect(warnings.filter((warning) => !/^pgvector [0-9.]+: /.test(warning))).toEqual([])
    expect(logger.infos[0]).toContain('already enabled')
  })

  test('sends one query, and writes nothing, where pgvector is enabled', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const statements = await statementsOf(knex, () =>
      knex.transaction(async (trx) => {
        await trx.raw('set transaction read only')
        await ensurePgvector(trx, { logger: false })
      }),
    )
    expect(statements).toEqual(['BEGIN;', 'set transaction read only', expect.any(String), 'COMMIT;'])
  })

  test('sees what was changed since it last looked: another schema, a drop, another extension of that name', async () => {
    const { knex } = database()
    const ensure = (): ReturnType<typeof ensurePgvector> => ensurePgvector(knex, { logger: false })
    await ensure()
    expect(await ensure()).toMatchObject({ status: 'unchanged', schema: 'public' })
    await knex.raw(`create schema "Moved To"; alter extension vector set schema "Moved To"`)
    expect(await ensure()).toMatchObject({ status: 'unchanged', schema: 'Moved To' })
    await knex.raw('drop extension vector')
    expect(await ensure()).toMatchObject({ status: 'created', schema: 'public' })
    // One that lacks what ours has: the same name is not enough.
    await knex.raw('drop extension vector; create schema attic; create extension vector schema attic')
    await knex.raw('alter extension vector drop type attic.vector')
    await knex.raw('alter type attic.vector rename to vector_of_old')
    await expectError('VERIFICATION_FAILED', ensure)
  })

  test('takes at most eight round trips to create it, verify it and log it', async () => {
    const { knex } = database()
    const statements = await statementsOf(knex, () => ensurePgvector(knex, { logger: false }))
    expect(statements.length).toBeLessThanOrEqual(8)
  })

  test('writes nothing before every check has passed', async () => {
    const { knex } = database()
    await knex.raw('create table halfvec (id int)')
    const statements = await statementsOf(knex, () => ensurePgvector(knex, { logger: false }).catch(() => undefined))
    for (const statement of statements) expect(statement.trim()).toMatch(/^(select|with)\b/)
  })

  test('is undone with the transaction of its caller', async () => {
    const { knex } = database()
    const rollback = new Error('the caller changed its mind')
    const attempt = knex.transaction(async (trx) => {
      await ensurePgvector(trx, { logger: false })
      throw rollback
    })
    await expect(attempt).rejects.toBe(rollback)
    const { rows } = await knex.raw(`select from pg_extension where extname = 'vector'`)
    expect(rows).toEqual([])
    expect((await ensurePgvector(knex, { logger: false })).status).toBe('created')
  })

  test('reports how each dimension is stored and indexed', async () => {
    const { knex } = database()
    const { dimensions } = await ensurePgvector(knex, { logger: false })
    expect(dimensions.map(({ dimensions: count, column, index }) => [count, column, index])).toEqual([
      [384, 'vector', 'vector'],
      [768, 'vector', 'vector'],
      [1536, 'vector', 'vector'],
      [3072, 'vector', 'halfvec'],
    ])
  })

  test('creates the extension in the schema asked for, on the search path or off it', async () => {
    const { knex } = database()
    await knex.raw('create schema "My ""vectors"""')
    const result = await ensurePgvector(knex, { schema: 'My "vectors"', logger: false })
    expect(result).toMatchObject({ status: 'created', schema: 'My "vectors"' })
    await expect(verifyPgvector(knex)).resolves.toBeUndefined()
    expect((await ensurePgvector(knex, { logger: false })).status).toBe('unchanged')
  })

  test('creates the schema that the options name', async () => {
    const { knex } = database()
    const result = await ensurePgvector(knex, { schema: 'extensions', createSchema: true, logger: false })
    expect(result).toMatchObject({ status: 'created', schema: 'extensions' })
  })

  test('keeps an extension that is in another schema, and warns', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const logger = recordingLogger()
    const result = await ensurePgvector(knex, { schema: 'elsewhere', logger })
    expect(result).toMatchObject({ status: 'unchanged', schema: 'public' })
    expect(logger.warnings[0]).toContain('was not moved to "elsewhere"')
    expect(result.warnings).toEqual(expect.arrayContaining([...logger.warnings]))
  })

  test('logs known problems of the release when it changes something or verifies, not at every start', async () => {
    const { knex } = database()
    const known = (warnings: readonly string[]): string[] => warnings.filter((each) => /^pgvector [0-9.]+: /.test(each))
    const loggedWith = async (options: EnsureOptions): Promise<string[]> => {
      const logger = recordingLogger()
      await ensurePgvector(knex, { ...options, logger })
      return known(logger.warnings)
    }
    const created = await loggedWith({})
    expect(known((await ensurePgvector(knex, { logger: false })).warnings)).toEqual(created)
    expect(await loggedWith({})).toEqual([])
    expect(await loggedWith({ verify: true })).toEqual(created)
  })

  test('works for a caller who changes the case of result columns', async () => {
    const { knex } = database()
    knex.client.config.postProcessResponse = (results: Result | Result[]) =>
      Array.isArray(results) ? results.map(camelCaseColumns) : camelCaseColumns(results)
    expect((await ensurePgvector(knex, { logger: false })).status).toBe('created')
    expect((await ensurePgvector(knex, { logger: false })).status).toBe('unchanged')
  })

  test('warns of what is known to be wrong with the release it installed', async () => {
    const { knex, pgvector } = database()
    const { warnings } = await ensurePgvector(knex, { logger: false })
    const isAffected = pgvector === '0.8.0'
    expect(warnings.some((warning) => warning.includes('CVE-2026-3172'))).toBe(isAffected)
  })
})

interface Result {
  readonly rows?: readonly Record<string, unknown>[]
}

function camelCaseColumns({ rows = [], ...rest }: Result): Result {
  const camelCase = (name: string): string => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())
  return {
    ...rest,
    rows: rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [camelCase(name), value]))),
  }
}
