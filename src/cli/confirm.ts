import { createInterface } from 'node:readline/promises'

import { PgvectorMigrationError } from '../core/errors.ts'
import { printable } from '../core/printable.ts'

/** Asks a question; only y or yes confirms. It goes to stderr, because another program may read stdout. */
export async function confirm(
  question: string,
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stderr,
): Promise<boolean> {
  const lines = createInterface({ input, output })
  const asking = new AbortController()
  lines.once('SIGINT', () => asking.abort('SIGINT'))
  lines.once('close', () => asking.abort('close'))
  try {
    const answer = await lines.question(`${printable(question)} [y/N] `, { signal: asking.signal })
    return /^y(es)?$/i.test(answer.trim())
  } catch (error) {
    if (!asking.signal.aborted) throw error
    output.write('\n')
    if (asking.signal.reason === 'SIGINT')
      throw new PgvectorMigrationError('MIGRATION_INTERRUPTED', {
        migration: null,
        signal: 'SIGINT',
        done: [],
        left: [],
      })
    return false
  } finally {
    lines.close()
  }
}
