import { literal } from '../../core/sql.ts'
import { EXTENSION_BEFORE } from '../../log/migration-log.ts'
import type { PlannedMigration, PlanOrigin, PlanResult } from './result.ts'
import { setApart } from './privileged.ts'

/**
 * Returns a plan as one script for psql, which also maintains Knex's tables.
 *
 * Statements that need a privileged role are in a separate first part. Each migration refuses to run twice, or while
 * another process is running migrations.
 *
 * @example await writeFile('release.sql', planScript(await migrator.plan()))
 */
export function planScript({ migrations, notes, origin }: PlanResult): string {
  if (migrations.length === 0) return `${header(migrations, notes, origin)}\n`
  const { privileged, rest } = setApart(migrations)
  const blocks = [
    header(migrations, notes, origin),
    settings(origin),
    ...(privileged.length === 0 ? [] : [extensionBefore]),
    ...(privileged.length === 0 ? [] : [parts, privilegedPart(privileged)]),
    ...(privileged.length === 0 ? [] : ['\\if :knex_pgvector_run_migrations']),
    bookkeeping(origin),
    ...rest.map((migration) => migrationBlock(migration, origin)),
    ...(privileged.length === 0 ? [] : ['\\endif']),
  ]
  return `${blocks.join('\n\n')}\n`
}

function header(migrations: readonly PlannedMigration[], notes: readonly string[], origin: PlanOrigin): string {
  const { database, server, pgvector, applied, at } = origin
  const what =
    migrations.length === 0
      ? 'Nothing is pending'
      : `Applies ${migrations.length} of the pending migrations: ${migrations.map(({ name }) => name).join(', ')}`
  const lines = [
    `${what} (knex-pgvector plan)`,
    `Planned at ${at} for the database "${database}" on PostgreSQL ${server}, ${pgvector === null ? 'without pgvector' : `with pgvector ${pgvector}`}`,
    `Applied there: ${applied.length === 0 ? 'nothing' : applied.join(', ')}`,
    ...notes.map((note) => `Note: ${note}`),
    ...(migrations.length === 0 ? [] : ['To run it: psql --no-psqlrc --file THIS_FILE']),
  ]
  return lines.map(comment).join('\n')
}

// A name may contain anything, even a line break.
function comment(text: string): string {
  return `-- ${text.replaceAll(/\s+/g, ' ')}`
}

const DEFAULT_SEARCH_PATH = '"$user", public'

function settings({ searchPath }: PlanOrigin): string {
  return [
    '\\set ON_ERROR_STOP on',
    '\\pset pager off',
    "set client_encoding to 'UTF8';",
    ...(searchPath === DEFAULT_SEARCH_PATH
      ? []
      : [`select pg_catalog.set_config('search_path', ${literal(searchPath)}, false);`]),
  ].join('\n')
}

// Shows whether the extension already existed. If so, the log entry that it was enabled is skipped.
const extensionBefore = `select pg_catalog.set_config('${EXTENSION_BEFORE}', coalesce((
    select oid::pg_catalog.text from pg_catalog.pg_extension where extname operator(pg_catalog.=) 'vector'
  ), ''), false);`

const parts = `-- Both parts run, unless one is asked for: psql --variable part=privileged … and then psql --variable part=migrations …
\\if :{?part}
\\else
\\set part both
\\endif
select :'part' operator(pg_catalog.<>) 'migrations' as knex_pgvector_run_privileged,
  :'part' operator(pg_catalog.<>) 'privileged' as knex_pgvector_run_migrations \\gset`

function privilegedPart(statements: readonly string[]): string {
  return [
    '-- Privileged: run this part as a role that may create extensions.',
    '\\if :knex_pgvector_run_privileged',
    ...statements.map((statement) => `${statement};`),
    '\\endif',
  ].join('\n')
}

function bookkeeping({ bookkeeping: statements, tables }: PlanOrigin): string {
  return [
    "-- Knex's tables, and the number of this batch",
    ...statements.map((statement) => `${statement};`),
    `select coalesce(pg_catalog.max(batch), 0) operator(pg_catalog.+) 1 as knex_pgvector_batch from ${tables.migrations} \\gset`,
  ].join('\n')
}

function migrationBlock({ name, transactional, statements }: PlannedMigration, { tables }: PlanOrigin): string {
  const record = `insert into ${tables.migrations} (name, batch, migration_time) values (${literal(name)}, :knex_pgvector_batch, pg_catalog.now());`
  return [
    comment(transactional ? name : `${name} runs outside a transaction`),
    ...(transactional ? ['begin;'] : []),
    guard(name, tables),
    ...statements.map(({ sql, privileged }) => `${privileged ? '-- needs a privileged role\n' : ''}${sql};`),
    record,
    ...(transactional ? ['commit;'] : []),
  ].join('\n')
}

// The row lock keeps stock Knex and this library out until the transaction ends.
function guard(name: string, { migrations, lock }: PlanOrigin['tables']): string {
  const body = `
begin
  perform from ${lock} where is_locked operator(pg_catalog.=) 0 for update nowait;
  if not found then
    raise exception 'Another process is running migrations';
  end if;
  if exists (select from ${migrations} where name operator(pg_catalog.=) ${literal(name)}) then
    raise exception using message = 'Applied already: ' operator(pg_catalog.||) ${literal(name)},
      hint = 'Create a new plan: npx knex-pgvector plan --script';
  end if;
end
`
  return `do ${dollarQuoted(body)};`
}

// A name may contain a dollar quote, too.
function dollarQuoted(text: string): string {
  let tag = '$guard$'
  for (let number = 1; text.includes(tag); number++) tag = `$guard${number}$`
  return `${tag}${text}${tag}`
}
