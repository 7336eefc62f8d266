import { Argument, Option } from 'commander'

import { migrationKinds } from '../../scaffold/templates.ts'
import type { CommandDescription } from '../command.ts'
import { milliseconds, numberFrom } from './flag-values.ts'

/** The commands that apply, inspect and write migrations, in the order of the help. */
export function migrationCommands(): CommandDescription[] {
  return [
    {
      name: 'status',
      summary: 'show each migration, applied or pending',
      options: [new Option('--exit-code', 'exit with 3 when something is pending')],
      examples: ['npx knex-pgvector status', 'npx knex-pgvector status --exit-code --quiet'],
      load: () => import('../commands/status.ts'),
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
      load: () => import('../commands/up.ts'),
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
      load: () => import('../commands/down.ts'),
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
      load: () => import('../commands/plan.ts'),
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
      load: () => import('../commands/rehearse.ts'),
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
      load: () => import('../commands/lint.ts'),
    },
    {
      name: 'history',
      summary: 'show who applied what and when, and what happened to pgvector',
      options: [new Option('--verbose', 'with host, process and details')],
      examples: ['npx knex-pgvector history', 'npx knex-pgvector history --verbose'],
      load: () => import('../commands/history.ts'),
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
      load: () => import('../commands/doctor.ts'),
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
      load: () => import('../commands/new.ts'),
    },
    {
      name: 'adopt',
      summary: 'record migrations as applied where the database has what they create; runs their code on this machine',
      options: [
        new Option('--to <version>', 'the last one (default: what a table schema_migrations lists, else all)'),
        new Option('--wait <time>', 'how long to wait for another run').default(60_000, '60s').argParser(milliseconds),
      ],
      examples: ['npx knex-pgvector adopt', 'npx knex-pgvector adopt --to 002'],
      load: () => import('../commands/adopt.ts'),
    },
    {
      name: 'unlock',
      summary: 'show who holds the lock on migrations, and free it if that process is gone',
      options: [new Option('--force', "free Knex's lock even if its holder is not known")],
      examples: ['npx knex-pgvector unlock', 'npx knex-pgvector unlock --force'],
      load: () => import('../commands/unlock.ts'),
    },
  ]
}
