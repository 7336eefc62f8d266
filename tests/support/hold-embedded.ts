// A process of its own that opens the embedded database in the folder it is given, says so, and keeps it until its
// standard input ends. It never calls process.exit(): whether it ends by itself is what a test wants to know.
import { once } from 'node:events'

import Knex from 'knex'

import { embeddedPgvector } from '../../src/embedded.ts'

async function hold(dataDir: string): Promise<void> {
  // Knex prints a refused connection besides rejecting the query; a test reads one line.
  const log = { warn: () => undefined, error: () => undefined }
  const knex = Knex({ ...embeddedPgvector({ dataDir }), log })
  await knex.raw('create table if not exists visits (process_id integer)')
  await knex('visits').insert({ process_id: process.pid })
  process.stdout.write('open\n')
  process.stdin.resume()
  await once(process.stdin, 'end')
  await knex.destroy()
}

void hold(process.argv[2] ?? '')
