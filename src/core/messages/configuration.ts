import { type InvalidFile, placeOf, type Messages } from './text.ts'

/** The facts of errors of the configuration and what is not installed. */
export interface ConfigurationErrors {
  readonly KNEXFILE_NOT_FOUND: { readonly folder: string }
  readonly INVALID_KNEXFILE: InvalidFile
  readonly ENVIRONMENT_NOT_FOUND: { readonly environment: string; readonly known: readonly string[] }
  readonly CONFIRMATION_NEEDED: { readonly migrations: readonly string[] }
  /** What was looked for, as a whole path, and why it cannot be read, as the system says it. */
  readonly MIGRATIONS_NOT_FOUND: { readonly directory: string; readonly reason: string }
  readonly PARSER_NOT_INSTALLED: { readonly missing: string }
  readonly EMBEDDED_NOT_INSTALLED: { readonly missing: string }
  readonly EMBEDDED_NEEDS_FLAG: { readonly flag: string }
  readonly EMBEDDED_IN_USE: { readonly directory: string; readonly processId: number }
}

export const configurationMessages: Messages<ConfigurationErrors> = {
  KNEXFILE_NOT_FOUND: ({ folder }) => ({
    message: `No Knex configuration found in ${folder}`,
    hint: 'Name the file with --knexfile, or the server with --database-url or DATABASE_URL.',
  }),
  INVALID_KNEXFILE: ({ problem, ...place }) => ({
    message: `Invalid Knex configuration ${place.file}: ${problem}${placeOf(place)}`,
    hint: 'Export a configuration with a connection, one for each environment, or a function that returns them.',
  }),
  ENVIRONMENT_NOT_FOUND: ({ environment, known }) => ({
    message: `The knexfile has no environment ${environment}`,
    hint: known.length === 0 ? 'It has no environments: omit --env.' : `It has ${known.join(', ')}.`,
  }),
  CONFIRMATION_NEEDED: ({ migrations }) => ({
    message: `Rolling back ${migrations.join(', ')} needs confirmation, and there is no terminal to ask on`,
    hint: 'See what would be lost with --dry-run, then run it again with --yes.',
  }),
  MIGRATIONS_NOT_FOUND: ({ directory, reason }) => ({
    message:
      reason === 'ENOENT'
        ? `The migrations folder ${directory} does not exist`
        : `The migrations folder ${directory} cannot be read (${reason})`,
    hint:
      'Correct migrations.directory in the Knex configuration, or the directory of its migrationSource. To create the ' +
      'folder with a first migration: npx knex-pgvector new NAME',
  }),
  PARSER_NOT_INSTALLED: ({ missing }) => ({
    message: `lint needs the package ${missing}`,
    hint: `Run: npm install --save-dev ${missing}`,
  }),
  EMBEDDED_NOT_INSTALLED: ({ missing }) => ({
    message: `The embedded database needs the package ${missing}`,
    hint: 'Run: npm install @electric-sql/pglite @electric-sql/pglite-pgvector',
  }),
  EMBEDDED_NEEDS_FLAG: ({ flag }) => ({
    message: `The embedded database needs Node's flag ${flag} here`,
    hint: `Run the tests with it: NODE_OPTIONS=${flag} npx jest`,
  }),
  EMBEDDED_IN_USE: ({ directory, processId }) => ({
    message: `The embedded database in ${directory} is in use by process ${processId}`,
    hint:
      'Only one process can use it at a time: stop that process, or use another directory. ' +
      `If process ${processId} is another program, delete ${directory}.pid.`,
  }),
}
