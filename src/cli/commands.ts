import type { CommandDescription } from './command.ts'
import { fleetCommands } from './descriptions/fleets.ts'
import { migrationCommands } from './descriptions/migrations.ts'
import { vectorCommands } from './descriptions/vectors.ts'

/** Every command, in the order of the help. */
export function describeCommands(): CommandDescription[] {
  return [...migrationCommands(), ...vectorCommands(), ...fleetCommands()]
}
