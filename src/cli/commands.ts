import { InvalidArgumentError, Option } from 'commander'

import type { CommandDescription } from './command.ts'

const milliseconds = (text: string): number => {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text)
  const units = { ms: 1, s: 1000, m: 60_000 }
  if (found === null) throw new InvalidArgumentError(`must be a time like 500ms, 60s or 5m, not ${text}`)
  return Number(found[1]) * units[(found[2] ?? 's') as keyof typeof units]
}

const wholeNumber = (text: string): number => {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError(`must be a whole number from 1, not ${text}`)
  return Number(text)
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
        new Option('--skip <version...>', 'leave these out; they stay pending'),
        new Option('--dry-run', 'say what would be applied, and change nothing'),
        new Option('--wait <time>', 'how long to wait for another run').default(60_000, '60s').argParser(milliseconds),
      ],
      examples: ['npx knex-pgvector up', 'npx knex-pgvector up --to 2', 'npx knex-pgvector up --skip 002'],
      load: () => import('./commands/up.ts'),
    },
    {
      name: 'down',
      summary: 'undo migrations, newest first',
      options: [
        new Option('--steps <number>', 'how many').default(1).argParser(wholeNumber),
        new Option('--to <version>', 'everything applied after this one').conflicts('steps'),
        new Option('--dry-run', 'say what would be undone and lost, and change nothing'),
        new Option('--yes', 'do not ask'),
        new Option('--wait <time>', 'how long to wait for another run').default(60_000, '60s').argParser(milliseconds),
      ],
      examples: ['npx knex-pgvector down', 'npx knex-pgvector down --to 001 --yes'],
      load: () => import('./commands/down.ts'),
    },
  ]
}
