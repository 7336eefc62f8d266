import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import createKnex from 'knex'

/** A template of the user's own for new migrations, as Knex's `migrations.stub`, and what its placeholders stand for. */
export interface Stub {
  readonly path: string
  readonly variables: Readonly<Record<string, unknown>>
}

/** The text that Knex writes from a stub: it has a language of templates of its own. */
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
