import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import createKnex from 'knex'

/** A custom template for new migrations, as in Knex's `migrations.stub`, and the values of its placeholders. */
export interface Stub {
  readonly path: string
  readonly variables: Readonly<Record<string, unknown>>
}

/** Returns the text that Knex generates from a stub, in Knex's own template language. */
export async function textOfStub({ path, variables }: Stub): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'knex-pgvector-stub-'))
  const migrations = { directory, stub: resolve(path), variables }
  const knex = createKnex({ client: 'pg', migrations })
  try {
    return await readFile(await knex.migrate.make('stub'), 'utf8')
  } finally {
    await knex.destroy()
    await rm(directory, { recursive: true, force: true })
  }
}
