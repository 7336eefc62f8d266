import { setImmediate as nextTurn } from 'node:timers/promises'

import type { Knex } from 'knex'

import { isPgvectorMigrationError } from '../core/errors.ts'
import { printableLines } from '../core/printable.ts'
import { connectTo, type Connected } from '../database/connect.ts'
import type { Migrator } from '../migrator/create-migrator.ts'
import { createReader, type MigrationReader } from '../migrator/reader.ts'
import { settingsOf } from '../migrator/settings.ts'
import { connectionOf, knexfileNotFound, refusedConfig } from './connection.ts'
import { loadConfig, type ConfigFlags, type LoadedConfig, type Template } from './load-config.ts'
import { printer, reserveStdout, type Printer } from './output/printer.ts'
import { silenceConsole } from './output/quiet-console.ts'
import { learnPassword } from '../sql-text/redact.ts'

/** The flags of every command. */
export interface GlobalFlags extends ConfigFlags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly color?: boolean
}

/** What a command works with. */
export interface Context {
  readonly knex: Knex
  /** The configuration of that instance. */
  readonly config: Knex.Config
  /** For commands that do not run migrations. */
  readonly reader: MigrationReader
  /** Loads the migrator, which takes a while. */
  readonly migrator: () => Promise<Migrator>
  /** The style of new migrations. */
  readonly template: Template
  readonly print: Printer
  readonly isJson: boolean
  readonly isQuiet: boolean
  close(): Promise<void>
}

/** Loads the configuration and makes the connection, which is opened by the first query. */
export async function openContext(flags: GlobalFlags, isOffline: boolean): Promise<Context> {
  const print = printer({ isJson: flags.json === true, isQuiet: flags.quiet === true })
  if (flags.json === true) reserveStdout()
  if (flags.quiet === true) silenceConsole()
  const loaded = await loadConfig(flags)
  if (loaded.origin === 'none' && !isOffline) throw knexfileNotFound()
  const { config, template } = loaded
  learnPassword(config.connection)
  const used = usedConfig(loaded, print)
  const { session, close } = connect(loaded, used)
  return {
    knex: session.knex,
    config: used,
    reader: createReader(session, settingsOf(session)),
    migrator: async () => (await import('../migrator/create-migrator.ts')).createMigrator(session.knex),
    template,
    print,
    isJson: flags.json === true,
    isQuiet: flags.quiet === true,
    close: async () => {
      // There is no need to wait until a server has closed the connection. A function may connect to the embedded database,
      // which has files to close.
      const closed = close()
      await (typeof config.connection === 'function' ? closed : nextTurn())
    },
  }
}

function usedConfig(loaded: LoadedConfig, print: Printer): Knex.Config {
  // What Knex logs before it throws is in the error too.
  const warn = (message: unknown): void => {
    if (!/^(Acquire connection error|Connection Error):/.test(String(message)))
      print.note(printableLines(String(message)))
  }
  return { log: { error: () => undefined, warn }, ...loaded.config, connection: connectionOf(loaded) }
}

function connect(loaded: LoadedConfig, config: Knex.Config): Connected {
  try {
    return connectTo(config)
  } catch (error) {
    if (isPgvectorMigrationError(error)) throw error
    throw refusedConfig(loaded.file, error)
  }
}
