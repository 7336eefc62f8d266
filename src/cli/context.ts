import Knex from 'knex'

import { createMigrator, type Migrator } from '../runner/migrator.ts'
import { loadConfig, type ConfigFlags } from './load-config.ts'
import { printer, type Printer } from './printer.ts'

/** The flags that every command takes. */
export interface GlobalFlags extends ConfigFlags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly color?: boolean
}

/** What a command works with. */
export interface Context {
  readonly knex: Knex.Knex
  readonly migrator: Migrator
  readonly print: Printer
  readonly isJson: boolean
  close(): Promise<void>
}

/** Loads the configuration and makes the connection, which is opened by the first query. */
export async function openContext(flags: GlobalFlags): Promise<Context> {
  const print = printer({ isJson: flags.json === true, isQuiet: flags.quiet === true })
  // A migration may talk to the console as it likes; with --json, stdout belongs to the document.
  if (flags.json === true) console.info = console.log = console.error
  const config = await loadConfig(flags)
  // What Knex logs before it throws is in the error too.
  const knex = Knex({ log: { error: () => undefined, warn: (message) => print.note(String(message)) }, ...config })
  return {
    knex,
    migrator: createMigrator(knex),
    print,
    isJson: flags.json === true,
    close: () => knex.destroy(),
  }
}
