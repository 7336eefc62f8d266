import { Argument, Option } from 'commander'

import type { CommandDescription } from '../command.ts'
import { milliseconds, numberFrom } from './flag-values.ts'

/** The commands for many schemas or databases. */
export function fleetCommands(): CommandDescription[] {
  return [
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
      load: () => import('../commands/fleet.ts'),
    },
  ]
}
