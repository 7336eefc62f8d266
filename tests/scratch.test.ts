import Knex from 'knex'

import { openScratch } from '../src/embedded/scratch.ts'

describe('the database of a plan', () => {
  test('has every extension of PGlite, and compiles their libraries when they are used', async () => {
    const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: { instantiate(): unknown } }
    const compile = jest.spyOn(WebAssembly, 'instantiate')
    const { config, close } = await openScratch()
    const knex = Knex(config)
    try {
      // PGlite itself, and PL/pgSQL is built in.
      expect(compile).toHaveBeenCalledTimes(1)
      const names = await knex('pg_available_extensions').whereNull('installed_version').pluck('name')
      expect(names).toEqual(expect.arrayContaining(['vector', 'pg_trgm', 'uuid-ossp', 'earthdistance']))
      for (const name of names) await knex.raw('create extension if not exists ?? cascade', [name])
      const { rows } = await knex.raw(
        `select '[1,2]'::vector <-> '[1,3]' as distance, similarity('a', 'a') as similarity`,
      )
      expect(rows).toEqual([{ distance: 1, similarity: 1 }])
    } finally {
      compile.mockRestore()
      await knex.destroy()
      await close()
    }
  })
})
