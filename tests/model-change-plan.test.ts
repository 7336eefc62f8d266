import type { Knex } from 'knex'

import {
  AddVectorColumn,
  ChangeModel,
  CreateVectorIndex,
  EnablePgvector,
  KeepInStep,
  migration,
  RunSql,
  type MigrationModule,
} from '../src/index.ts'
import { createMigrator, planScript } from '../src/migrator.ts'
import { backfill } from '../src/embeddings/backfill.ts'
import { silenceConsole } from './support/migrations.ts'
import { describeWithPsql, runPsql } from './support/psql.ts'
import { articles, change, objectsOf, quiet, small } from './support/two-models.ts'

// Each plan starts PostgreSQL in this process.
jest.setTimeout(180_000)
silenceConsole()

const migrations: Readonly<Record<string, MigrationModule>> = {
  '001_articles': migration([
    new EnablePgvector(),
    new RunSql({
      up: 'create table articles (id bigint generated always as identity primary key, title text not null)',
      down: 'drop table articles',
    }),
    new AddVectorColumn(small),
    new CreateVectorIndex(small, { method: 'hnsw', metric: 'l2' }),
    new KeepInStep(articles),
  ]),
  '002_large': migration([new ChangeModel(change, quiet)]),
}

const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(Object.keys(migrations)),
  getMigrationName: (name) => name,
  getMigration: (name) => Promise.resolve(migrations[name] as Knex.Migration),
}

describeWithPsql('the plan of a change of model', (database) => {
  test('shows the statements of its first phase, and its script does the same as the migration', async () => {
    const { knex, url } = database()
    const migrator = createMigrator(knex, { migrationSource })
    await migrator.up({ to: '001' })
    await knex.raw(`insert into articles (title) select repeat('x', i) from generate_series(1, 5) i`)
    await backfill(knex, articles, quiet)
    const before = await objectsOf(knex)

    const plan = await migrator.plan()
    const script = planScript(plan)
    expect(script).toContain('add column if not exists "embedding_large"')
    expect(script).toContain('create table if not exists "public"."pgvector_embeddings"')
    expect(await objectsOf(knex)).toEqual(before)

    const { code, stderr } = await runPsql(url ?? '', script)
    expect(stderr).not.toMatch(/ERROR|WARNING/)
    expect(code).toBe(0)
    expect(await change.status(knex)).toMatchObject({ phase: 'backfill', rows: { missing: 5 }, to: { metric: 'l2' } })
    const byScript = await objectsOf(knex)
    expect(await change.advance(knex, quiet)).toMatchObject({ phase: 'switch' })
    await migrator.down({ steps: 1 })
    expect(await objectsOf(knex)).toEqual(before)
    await migrator.up()
    expect(await objectsOf(knex)).toEqual(byScript)
  })
})
