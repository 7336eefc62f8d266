import type { Argument, Option } from 'commander'

import type { Context } from './context.ts'

/** What a command's module exports: parse flags has happened, call a public function, print, return the exit code. */
export interface CommandModule<Flags> {
  run(context: Context, flags: Flags, ...names: string[]): Promise<number>
}

/** A command as the help shows it; its module is loaded only when it runs. */
export interface CommandDescription {
  readonly name: string
  readonly summary: string
  readonly args?: readonly Argument[]
  readonly options?: readonly Option[]
  readonly examples: readonly string[]
  /** Whether it does without a knexfile and without a server. */
  readonly isOffline?: boolean
  readonly load: () => Promise<CommandModule<never>>
}
