import { Command, Option } from 'commander'

import { describeCommands } from './commands.ts'
import type { CommandDescription } from './command.ts'
import { printableLines } from '../core/printable.ts'
import { redact } from '../sql-text/redact.ts'
import { wantsJson } from './wants-json.ts'

/** Builds the command line: every command with its flags. */
export function program(commands: readonly CommandDescription[] = describeCommands()): Command {
  const root = new Command('knex-pgvector')
    .description('Runs Knex migrations with status, plan, rehearsal, history and a lock that never sticks.')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .showHelpAfterError('(run it with --help to list its arguments and options)')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => (wantsJson() ? process.stderr : process.stdout).write(text),
      // If a URL is in the wrong place, commander's message contains it.
      writeErr: (text) => process.stderr.write(printableLines(redact(text)).join('\n')),
    })
    .allowExcessArguments(false)
    .exitOverride()
  for (const option of globalOptions()) root.addOption(option)
  for (const description of commands) addCommand(root, description)
  return root
}

function addCommand(
  root: Command,
  { name, summary, args = [], options = [], examples, isOffline = false, load }: CommandDescription,
): void {
  const command = root.command(name).description(summary)
  for (const argument of args) command.addArgument(argument)
  for (const option of options) command.addOption(option)
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`)
  command.action(async (...given: unknown[]) => {
    const names = given.slice(0, -2).filter((value): value is string => typeof value === 'string')
    const { openContext } = await import('./context.ts')
    const context = await openContext(command.optsWithGlobals(), isOffline)
    try {
      const module = await load()
      process.exitCode = await module.run(context, command.opts<never>(), ...names)
    } finally {
      await context.close()
    }
  })
}

function globalOptions(): Option[] {
  return [
    new Option('--knexfile <path>', 'the Knex configuration (default: knexfile.* in this folder)'),
    new Option('--env <name>', 'the environment of the knexfile (default: NODE_ENV, else development)'),
    new Option('--database-url <url>', 'a server, instead of the connection in the knexfile'),
    new Option('--json', 'print one JSON document to stdout, everything else to stderr'),
    new Option('--no-color', 'print no colours (as NO_COLOR does)'),
    new Option('--quiet', 'print only the result'),
  ]
}

function packageVersion(): string {
  return (require('../../package.json') as { version: string }).version
}
