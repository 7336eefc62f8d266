import type { Knex } from 'knex'

import type { Logger } from '../../src/index.ts'

/** A logger that keeps what it is told. */
export interface RecordingLogger extends Logger {
  readonly infos: string[]
  readonly warnings: string[]
}

export function recordingLogger(): RecordingLogger {
  const infos: string[] = []
  const warnings: string[] = []
  return { infos, warnings, info: (message) => infos.push(message), warn: (message) => warnings.push(message) }
}

/** The statements that Knex sends while `run` runs: one a round trip. */
export async function statementsOf(knex: Knex, run: () => Promise<unknown>): Promise<string[]> {
  const statements: string[] = []
  const listen = ({ sql }: { sql: string }): void => void statements.push(sql)
  knex.on('query', listen)
  try {
    await run()
  } finally {
    knex.removeListener('query', listen)
  }
  return statements
}
