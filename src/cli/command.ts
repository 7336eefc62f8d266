import type { Argument, Option } from 'commander'

import type { Context } from './context.ts'

/** What a command's module exports. It gets parsed flags, calls a public function, prints, and returns the exit code. */
export interface CommandModule<Flags> {
  run(context: Context, flags: Flags, ...names: string[]): Promise<number>
}

/** A command as the help shows it. Its module is loaded only when it runs. */
export interface CommandDescription {
  readonly name: string
  readonly summary: string
  readonly args?: readonly Argument[]
  readonly options?: readonly Option[]
  readonly examples: readonly string[]
  /** Whether it needs neither a knexfile nor a server. */
  readonly isOffline?: boolean
  readonly load: () => Promise<CommandModule<never>>
}
