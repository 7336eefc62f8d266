import { spawnSync } from 'node:child_process'

import { dropOptions, ensureOptions } from '../src/core/options.ts'
import { parseOptions } from '../src/core/parse-options.ts'

describe('options with only undefined values', () => {
  test('are to the fast path what they are to the schema', () => {
    expect(parseOptions(ensureOptions, {})).toEqual(ensureOptions().parse({}))
    expect(parseOptions(dropOptions, {})).toEqual(dropOptions().parse({}))
    expect(parseOptions(ensureOptions, {})).not.toBe(parseOptions(ensureOptions, {}))
    const quiet = { logger: false }
    expect(parseOptions(ensureOptions, quiet)).toEqual(ensureOptions().parse(quiet))
    expect(parseOptions(dropOptions, quiet)).toEqual(dropOptions().parse(quiet))
  })

  test('are not taken for an object that inherits its options', () => {
    const inherited = Object.create({ update: true }) as object
    expect(parseOptions(ensureOptions, inherited)).toEqual(ensureOptions().parse(inherited))
  })
})

describe('loading the package', () => {
  test('does not load what only parses options, checks SQL, reads a knexfile or serves the embedded database', () => {
    const program = `
      require('knex-pgvector')
      const loaded = Object.keys(require.cache).map((path) => path.replace(/^.*node_modules./, ''))
      const names = ['zod', 'jiti', 'libpg-query', '@electric-sql', 'commander', 'cli-table3', 'cli-progress']
      console.log(names.filter((name) => loaded.some((path) => path.startsWith(name))).join())`
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', env: { PATH: '' } })
    expect({ stdout, stderr }).toEqual({ stdout: '\n', stderr: '' })
  })
})
