import { Argument, InvalidArgumentError, Option } from 'commander'

import { millisecondsOf } from '../core/durations.ts'
import { migrationKinds } from '../scaffold/templates.ts'
import type { CommandDescription } from './command.ts'

// A bare number could be read as milliseconds or as seconds.
const milliseconds = (text: string): number => {
  const parsed = millisecondsOf(text)
  if (parsed === null)
    throw new InvalidArgumentError(`must be a time with its unit, like 500ms, 60s or 5m, not ${text}`)
  return parsed
}

const numberFrom =
  (smallest: number) =>
  (text: string): number => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= smallest) return Number(text)
    throw new InvalidArgumentError(`must be a whole number from ${smallest}, not ${text}`)
  }

const share = (text: string): number => {
  const parsed = /^(?:0?\.\d{1,9})$/.test(text) ? Number(text) : 0
  if (parsed > 0) return parsed
  throw new InvalidArgumentError(`must be a number above 0 and below 1, like 0.95, not ${text}`)
}

/** Every command, in the order of the help. */
export function describeCommands(): CommandDescription[] {
  return [
    {
      name: 'status',
      summary: 'show each migration, applied or pending',
      options: [new Option('--exit-code', 'exit with 3 when something is pending')],
      examples: ['npx knex-pgvector status', 'npx knex-pgvector status --exit-code --quiet'],
      load: () => import('./commands/status.ts'),
    },
    {
      name: 'up',
      summary: 'apply pending migrations',
      options: [
        new Option('--to <version>', 'the last one to apply'),
        new Option('--only <version>', 'apply this one alone').conflicts(['to', 'skip']),
        new Option('--skip <version...>', 'skip these; they stay pending'),
        new Option('--dry-run', 'show what would be applied, and change nothing'),
        new Option('--transaction <mode>', 'commit each migration by itself, or all of them at once')
          .choices(['each', 'batch'])
          .default('each'),
        new Option('--wait <time>', 'how long to wait for another run').default(60_000, '60s').argParser(milliseconds),
      ],
      examples: ['npx knex-pgvector up', 'npx knex-pgvector up --to 2', 'npx knex-pgvector up --skip 002'],
      load: () => import('./commands/up.ts'),
    },
    {
      name: 'down',
      summary: 'roll back migrations, newest first',
      options: [
        new Option('--steps <number>', 'how many (default: 1)').argParser(numberFrom(1)),
        new Option('--to <version>', 'everything applied after this one; 0 for everything').conflicts('steps'),
        new Option('--all', 'everything applied').conflicts(['steps', 'to']),
        new Option(
          '--dry-run',
          'show what would be rolled back and lost, and change nothing; runs the code of the migrations on this machine',
        ),
        new Option('--yes', 'do not ask for confirmation'),
        new Option('--transaction <mode>', 'commit each migration by itself, or all of them at once')
          .choices(['each', 'batch'])
          .default('each'),
        new Option('--wait <time>', 'how long to wait for another run').default(60_000, '60s').argParser(milliseconds),
      ],
      examples: ['npx knex-pgvector down', 'npx knex-pgvector down --to 001 --yes'],
      load: () => import('./commands/down.ts'),
    },
    {
      name: 'plan',
      summary: 'show the SQL of the pending migrations; runs their code on this machine, not on the database',
      options: [
        new Option('--to <version>', 'the last one to plan'),
        new Option('--only <version>', 'plan this one alone').conflicts(['to', 'skip']),
        new Option('--skip <version...>', 'skip these'),
        new Option('--script', 'print one file for psql, with the bookkeeping'),
        new Option('--forecast', 'forecast time, size and memory of index builds, on the database').conflicts('script'),
      ],
      examples: [
        'npx knex-pgvector plan',
        'npx knex-pgvector plan --forecast',
        'npx knex-pgvector plan --to 2 --script > release.sql',
      ],
      load: () => import('./commands/plan.ts'),
    },
    {
      name: 'rehearse',
      summary: 'execute pending migrations in one transaction, roll it back, and show times and locks',
      options: [
        new Option('--to <version>', 'the last one to rehearse'),
        new Option('--only <version>', 'rehearse this one alone').conflicts(['to', 'skip']),
        new Option('--skip <version...>', 'skip these'),
        new Option('--lock-timeout <time>', 'how long a statement may wait for a lock')
          .default(1000, '1s')
          .argParser(milliseconds),
        new Option('--wait <time>', 'how long to wait for another run').default(60_000, '60s').argParser(milliseconds),
      ],
      examples: ['npx knex-pgvector rehearse', 'npx knex-pgvector rehearse --only 003 --lock-timeout 200ms'],
      load: () => import('./commands/rehearse.ts'),
    },
    {
      name: 'lint',
      summary:
        'check the SQL of the pending migrations by rules that know vectors; runs their code on this machine; exits with 3 on a finding',
      options: [
        new Option('--to <version>', 'the last one to check'),
        new Option('--only <version>', 'check this one alone').conflicts(['to', 'skip']),
        new Option('--skip <version...>', 'skip these'),
        new Option('--declared <path>', 'a module that exports what vectorIndex returned, to compare with'),
        new Option('--github', 'print annotations for GitHub Actions'),
      ],
      examples: [
        'npx knex-pgvector lint',
        'npx knex-pgvector lint --github',
        'npx knex-pgvector lint --declared src/vectors.ts --json',
      ],
      load: () => import('./commands/lint.ts'),
    },
    {
      name: 'history',
      summary: 'show who applied what and when, and what happened to pgvector',
      options: [new Option('--verbose', 'with host, process and details')],
      examples: ['npx knex-pgvector history', 'npx knex-pgvector history --verbose'],
      load: () => import('./commands/history.ts'),
    },
    {
      name: 'doctor',
      summary:
        'check server, extension, indexes and lock, and show what to do; exits with 3 on an error, with 2 without a connection',
      options: [
        new Option('--min-version <version>', 'the oldest pgvector to accept (default: 0.5.0)'),
        new Option('--schema <name>', 'only tables and indexes of this schema; with %, of all that are like it'),
      ],
      examples: ['npx knex-pgvector doctor', 'npx knex-pgvector doctor --min-version 0.8.0 --json'],
      load: () => import('./commands/doctor.ts'),
    },
    {
      name: 'new',
      args: [new Argument('<name>', 'what it does, in a few words: it becomes the name of the file')],
      isOffline: true,
      summary: 'write a migration file, numbered like the others',
      options: [
        new Option('--kind <kind>', 'what it begins with').choices([...migrationKinds]).default(migrationKinds[0]),
        new Option('--directory <path>', 'the folder (default: that of the knexfile, else migrations)'),
        new Option('--from-diff', 'write what brings the database to the declaration').conflicts('kind'),
        new Option(
          '--declared <path>',
          'with --from-diff: a module that exports what vectorColumn and vectorIndex returned',
        ),
      ],
      examples: [
        'npx knex-pgvector new add_tags',
        "npx knex-pgvector new 'index of embeddings' --kind index",
        'npx knex-pgvector new --from-diff vectors --declared src/vectors.ts',
      ],
      load: () => import('./commands/new.ts'),
    },
    {
      name: 'diff',
      summary: 'compare the columns and indexes that a module declares with the database',
      options: [
        new Option(
          '--declared <path>',
          'a module that exports what vectorColumn and vectorIndex returned',
        ).makeOptionMandatory(),
        new Option('--schema <name>', 'report as not declared only what is in this schema; with %, in all like it'),
        new Option('--exit-code', 'exit with 3 when something declared is missing or differs'),
      ],
      examples: [
        'npx knex-pgvector diff --declared src/vectors.ts',
        'npx knex-pgvector diff --declared src/vectors.ts --json --exit-code',
      ],
      load: () => import('./commands/diff.ts'),
    },
    {
      name: 'index',
      args: [
        new Argument(
          '<action>',
          'list: all vector indexes; build: those of --declared; tenants: those of big tenants; progress: of running builds; repair: invalid ones',
        ),
      ],
      summary: 'list, build or repair vector indexes; show the progress of builds',
      options: [
        new Option(
          '--declared <path>',
          'build, tenants: a module that exports what vectorIndex or tenantRule returned',
        ),
        new Option('--only <name...>', 'build, tenants: only these indexes'),
        new Option('--max-memory <size>', 'build, tenants: the most memory to use, like 4GB'),
        new Option('--workers <number>', 'build, tenants: the most parallel workers').argParser(numberFrom(0)),
        new Option(
          '--dry-run',
          'build: only show what each build would take; tenants: what would be done, with exit code 3 if there is something to do',
        ),
        new Option('--wait <time>', 'build, tenants, repair: how long to wait for other sessions')
          .default(60_000, '60s')
          .argParser(milliseconds),
        new Option('--schema <name>', 'list: only this schema; with %, all that are like it'),
        new Option('--follow', 'progress: until nothing is being built'),
      ],
      examples: [
        'npx knex-pgvector index list',
        'npx knex-pgvector index build --declared src/vectors.ts --dry-run',
        'npx knex-pgvector index build --declared src/vectors.ts --max-memory 4GB',
        'npx knex-pgvector index tenants --declared src/vectors.ts --dry-run',
        'npx knex-pgvector index progress --follow',
        'npx knex-pgvector index repair',
      ],
      load: () => import('./commands/indexes.ts'),
    },
    {
      name: 'recall',
      args: [new Argument('<index>', 'the name of the index')],
      summary:
        'measure how many of the nearest rows an index finds; exits with 3 if the target is missed, with 4 if undecided',
      options: [
        new Option('--declared <path>', 'a module that exports what vectorIndex returned').makeOptionMandatory(),
        new Option('--k <number>', 'the nearest rows that a search asks for (default: 10)').argParser(numberFrom(1)),
        new Option('--target <share>', 'the recall to reach').default(0.95).argParser(share),
        new Option('--sample <number>', 'the rows to search for (default: 400)')
          .argParser(numberFrom(1))
          .conflicts('queries'),
        new Option('--queries <file>', 'search for these vectors: a JSON array of each, on a line of its own'),
      ],
      examples: [
        'npx knex-pgvector recall documents_embedding_idx --declared src/vectors.ts',
        'npx knex-pgvector recall documents_embedding_idx --declared src/vectors.ts --target 0.98 --queries queries.jsonl',
      ],
      load: () => import('./commands/recall.ts'),
    },
    {
      name: 'fleet',
      args: [
        new Argument(
          '<action>',
          'status, plan, diff, doctor, up, retry (those whose last run failed) or down, in every schema or database of a fleet; onboard: one more',
        ),
        new Argument('[schema]', 'onboard: the schema of the new tenant, created if it does not exist'),
      ],
      summary: 'run migrations in many schemas or databases; exits with 2 if a tenant failed or was not reached',
      options: [
        new Option('--schemas <pattern>', 'the tenants: schemas like this, as in SQL').conflicts([
          'databases',
          'tenants',
        ]),
        new Option('--databases <pattern>', 'the tenants: databases like this').conflicts(['schemas', 'tenants']),
        new Option('--tenants <path>', 'the tenants: a module that exports them').conflicts(['schemas', 'databases']),
        new Option(
          '--extension-schema <name>',
          'up, retry, onboard: enable pgvector in this schema, once per database',
        ),
        new Option('--only <tenant...>', 'only these tenants; not with retry'),
        new Option('--to <version>', 'up, retry: the last migration to apply; down: everything applied after this one'),
        new Option('--steps <number>', 'down: how many in each tenant (default: 1)').argParser(numberFrom(1)),
        new Option('--all', 'down: everything that was applied').conflicts(['steps', 'to']),
        new Option('--declared <path>', 'diff: a module that exports what vectorColumn and vectorIndex returned'),
        new Option('--min-version <version>', 'doctor: the oldest pgvector to accept (default: 0.5.0)'),
        new Option('--concurrency <number>', 'how many tenants at once').default(4).argParser(numberFrom(1)),
        new Option('--canary <number>', 'how many tenants run first; if one fails, no other is started')
          .default(1)
          .argParser(numberFrom(0)),
        new Option('--max-failures <number>', 'how many tenants may fail before no further one is started')
          .default(10)
          .argParser(numberFrom(0)),
        new Option('--isolation <kind>', 'tenants share connections, or each has a new one (default: shared)').choices([
          'shared',
          'connection',
        ]),
        new Option('--wait <time>', 'how long to wait for other runs').default(60_000, '60s').argParser(milliseconds),
        new Option('--yes', 'down: do not ask for confirmation'),
        new Option('--exit-code', 'status: exit with 3 if a tenant is not current; diff: if one differs'),
      ],
      examples: [
        "npx knex-pgvector fleet up --schemas 'tenant\\_%' --canary 5",
        "npx knex-pgvector fleet status --databases 'app\\_%' --json",
        'npx knex-pgvector fleet retry --tenants tenants.ts',
        "npx knex-pgvector fleet diff --schemas 'tenant\\_%' --declared src/vectors.ts",
        'npx knex-pgvector fleet onboard tenant_42 --extension-schema public',
      ],
      load: () => import('./commands/fleet.ts'),
    },
    {
      name: 'vectors',
      args: [
        new Argument(
          '<action>',
          'status: stale, missing and failed rows; work: make their vectors; verify: compare hashes; retry: rows given up',
        ),
      ],
      summary: 'keep vectors in step with their rows; status and verify exit with 3 when something is stale',
      options: [
        new Option('--declared <path>', 'a module that exports what embedding returned').makeOptionMandatory(),
        new Option('--only <name...>', 'only these, like articles.embedding'),
        new Option('--follow', 'work: until it is stopped, instead of once'),
        new Option('--mark', 'verify: mark the rows that are found, for the worker'),
        new Option('--batch-size <number>', 'work: the most rows in one call of the model').argParser(numberFrom(1)),
        new Option('--concurrency <number>', 'work: the concurrent calls of the model').argParser(numberFrom(1)),
      ],
      examples: [
        'npx knex-pgvector vectors status --declared src/vectors.ts',
        'npx knex-pgvector vectors work --declared src/vectors.ts --follow',
        'npx knex-pgvector vectors verify --declared src/vectors.ts --mark',
        'npx knex-pgvector vectors retry --declared src/vectors.ts',
      ],
      load: () => import('./commands/vectors.ts'),
    },
    {
      name: 'model',
      args: [
        new Argument(
          '<action>',
          'status: the phase and the next command; advance: up to the comparison; switch: search by the new model; back: to the state before; contract: drop the old column',
        ),
      ],
      summary: 'change the model of an embedding while the application runs',
      options: [
        new Option('--declared <path>', 'a module that exports what changeModel returned').makeOptionMandatory(),
        new Option('--model <name>', 'the new model, where the module declares several changes'),
        new Option('--until <phase>', 'advance: the last phase to run').choices([
          'expand',
          'backfill',
          'index',
          'drain',
          'compare',
        ]),
        new Option('--to <phase>', 'back: the phase to return to').choices(['expand', 'index', 'switch']),
        new Option('--batch-size <number>', 'advance, switch: the rows of one call of the model').argParser(
          numberFrom(1),
        ),
        new Option('--concurrency <number>', 'advance, switch: the calls of the model at once').argParser(
          numberFrom(1),
        ),
        new Option('--wait <time>', 'how long to wait for other sessions')
          .default(60_000, '60s')
          .argParser(milliseconds),
        new Option('--yes', 'contract: do not ask for confirmation'),
      ],
      examples: [
        'npx knex-pgvector model status --declared src/vectors.ts',
        'npx knex-pgvector model advance --declared src/vectors.ts --concurrency 4',
        'npx knex-pgvector model switch --declared src/vectors.ts',
        'npx knex-pgvector model contract --declared src/vectors.ts --yes',
      ],
      load: () => import('./commands/model.ts'),
    },
    {
      name: 'adopt',
      summary: 'record migrations as applied where the database has what they create; runs their code on this machine',
      options: [
        new Option('--to <version>', 'the last one (default: what a table schema_migrations lists, else all)'),
        new Option('--wait <time>', 'how long to wait for another run').default(60_000, '60s').argParser(milliseconds),
      ],
      examples: ['npx knex-pgvector adopt', 'npx knex-pgvector adopt --to 002'],
      load: () => import('./commands/adopt.ts'),
    },
    {
      name: 'unlock',
      summary: 'show who holds the lock on migrations, and free it if that process is gone',
      options: [new Option('--force', "free Knex's lock even if its holder is not known")],
      examples: ['npx knex-pgvector unlock', 'npx knex-pgvector unlock --force'],
      load: () => import('./commands/unlock.ts'),
    },
  ]
}
