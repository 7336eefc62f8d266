import { Argument, Option } from 'commander'

import type { CommandDescription } from '../command.ts'
import { milliseconds, numberFrom, share } from './flag-values.ts'

/** The commands for columns, indexes and models, in the order of the help. */
export function vectorCommands(): CommandDescription[] {
  return [
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
      load: () => import('../commands/diff.ts'),
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
      load: () => import('../commands/indexes.ts'),
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
      load: () => import('../commands/recall.ts'),
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
      load: () => import('../commands/vectors.ts'),
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
      load: () => import('../commands/model.ts'),
    },
  ]
}
