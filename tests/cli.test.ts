import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { builtCli } from './support/build.ts'
import { createProject, knexfile, type Project } from './support/project.ts'
import { succeed } from './support/run.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

/** `new` reads the knexfile and needs no database: where it writes tells which configuration was used. */
async function folderUsedBy(project: Project, flags: readonly string[], env = {}): Promise<string> {
  const { code, stdout, stderr } = await project.run(['new', 'probe', '--json', ...flags], env)
  if (code !== 0) throw new Error(stderr)
  const { path } = JSON.parse(stdout) as { path: string }
  return path.split(/[\\/]/).at(-2) ?? ''
}

const config = (directory: string): string => `{ client: 'pg', migrations: { directory: '${directory}' } }`

describe('the command line', () => {
  test('prints its version and its help, with examples', async () => {
    const project = await createProject({})
    expect(await project.run(['--version'])).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    })
    const help = await project.run(['up', '--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toMatch(/Examples:\n {2}\$ npx knex-pgvector up/)
    expect((await project.run(['help', 'unlock'])).stdout).toMatch(/--force/)
  })

  test.each([
    ['an unknown command', ['statsu'], /unknown command 'statsu'\n\(Did you mean status\?\)/],
    ['an unknown flag', ['status', '--exitcode'], /unknown option '--exitcode'\n\(Did you mean --exit-code\?\)/],
    ['a flag without its value', ['up', '--to'], /argument missing/],
    ['flags that exclude each other', ['up', '--only', '1', '--to', '2'], /cannot be used with/],
    ['flags of down that exclude each other', ['down', '--to', '1', '--steps', '1'], /cannot be used with/],
    ['a time that is none', ['up', '--wait', 'soon'], /must be a time with its unit, like 500ms, 60s or 5m/],
    ['a time without a unit', ['up', '--wait', '60'], /must be a time with its unit, like 500ms, 60s or 5m, not 60/],
    ['a number that is none', ['down', '--steps', '0'], /must be a whole number from 1/],
    ['a kind that is none', ['new', 'x', '--kind', 'table'], /Allowed choices are blank, enable, column, index/],
    ['a missing name', ['new'], /missing required argument 'name'/],
    ['no command at all', [], /Usage: knex-pgvector/],
  ])('exits with 2 and a hint on %s', async (_what, flags, said) => {
    const { code, stdout, stderr } = await (await createProject({})).run(flags)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(said)
    expect(stderr).toMatch(/--help/)
  })

  test('is a program by itself, for npx in this repository', async () => {
    expect(await succeed(builtCli, ['--version'], { cwd: __dirname })).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test('ends, whatever the knexfile left open', async () => {
    const project = await createProject({
      'knexfile.js': `
        setInterval(() => undefined, 1000)
        module.exports = ${config('migrations')}`,
    })
    expect(await project.run(['new', 'probe'])).toMatchObject({ code: 0, stdout: expect.stringContaining('probe') })
  })

  test('prints one document with --json where it fails too', async () => {
    const project = await createProject({})
    const missing = await project.run(['status', '--json'])
    expect(missing.code).toBe(2)
    expect(JSON.parse(missing.stdout)).toMatchObject({
      error: { code: 'KNEXFILE_NOT_FOUND', hint: expect.any(String) },
    })
    const usage = await project.run(['status', '--bogus', '--json'])
    expect(usage.code).toBe(2)
    expect(JSON.parse(usage.stdout)).toMatchObject({ error: { message: "error: unknown option '--bogus'" } })
  })

  test('keeps stdout for JSON with --json where there is no command', async () => {
    const project = await createProject({})
    const version = await project.run(['--json', '--version'])
    expect({ ...version, stdout: JSON.parse(version.stdout) as unknown }).toMatchObject({
      code: 0,
      stdout: { version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
    })
    for (const flags of [['--help'], ['help'], ['up', '--help'], ['help', 'up']]) {
      const help = await project.run(['--json', ...flags])
      expect(help).toMatchObject({ code: 0, stdout: '', stderr: expect.stringMatching(/^Usage: knex-pgvector/) })
    }
    const { code, stdout, stderr } = await project.run(['--json'])
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(/^Usage: knex-pgvector/) })
    expect(JSON.parse(stdout)).toEqual({ error: { code: null, message: 'error: no command was given', server: null } })
  })

  test('prints a stack and exits with 1 where it fails for no reason that it knows', async () => {
    const project = await createProject({
      'knexfile.js': `module.exports = { client: 'pg', migrations: { migrationSource: { getMigrations: () => { null.x } } } }`,
    })
    const { code, stderr } = await project.run(['new', 'x'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/TypeError: Cannot read properties of null[^]*\n +at /)
  })
})

describe('the knexfile', () => {
  test.each([
    ['knexfile.js', `module.exports = ${config('seen')}`],
    ['knexfile.cjs', `module.exports = ${config('seen')}`],
    ['knexfile.mjs', `export default ${config('seen')}`],
    ['knexfile.ts', `import type { Knex } from 'knex'\nconst it: Knex.Config = ${config('seen')}\nexport default it`],
    ['knexfile.mts', `export default ${config('seen')} satisfies object`],
    ['knexfile.cts', `const it: object = ${config('seen')}\nmodule.exports = it`],
    ['config/database.js', `module.exports = ${config('seen')}`],
    ['a-function.js', `module.exports = () => (${config('seen')})`],
    ['an-async-function.mjs', `export default async () => (${config('seen')})`],
    ['top-level-await.mjs', `const it = await Promise.resolve(${config('seen')})\nexport default it`],
    ['environments.js', `module.exports = { development: ${config('seen')}, production: ${config('other')} }`],
  ])('may be %s', async (file, content) => {
    const project = await createProject({ [file]: content })
    expect(await folderUsedBy(project, ['--knexfile', file])).toBe('seen')
  })

  test('is found in the folder, and paths in it are relative to it', async () => {
    const project = await createProject({ 'knexfile.ts': `export default ${config('seen')}` })
    expect(await folderUsedBy(project, [])).toBe('seen')
    const other = await createProject({ 'config/knexfile.js': `module.exports = ${config('../seen')}` })
    await folderUsedBy(other, ['--knexfile', 'config/knexfile.js'])
    expect(await readdir(join(other.folder, 'seen'))).toEqual(['001_probe.js'])
  })

  test('may be of ES modules where the package says so', async () => {
    const project = await createProject({
      'package.json': '{ "type": "module" }',
      'knexfile.js': `export default ${config('seen')}`,
    })
    expect(await folderUsedBy(project, [])).toBe('seen')
  })

  test('gives the environment of --env, else of NODE_ENV, else development', async () => {
    const project = await createProject({
      'knexfile.js': `module.exports = { development: ${config('dev')}, production: ${config('prod')}, test: ${config('test')} }`,
    })
    expect(await folderUsedBy(project, [])).toBe('dev')
    expect(await folderUsedBy(project, [], { NODE_ENV: 'production' })).toBe('prod')
    expect(await folderUsedBy(project, ['--env', 'test'], { NODE_ENV: 'production' })).toBe('test')
  })

  test('needs no environments, whatever NODE_ENV is', async () => {
    const project = await createProject({ 'knexfile.js': `module.exports = ${config('seen')}` })
    expect(await folderUsedBy(project, [], { NODE_ENV: 'production' })).toBe('seen')
  })

  test.each([
    [
      'an environment that it has not',
      `{ a: ${config('x')}, b: ${config('x')} }`,
      ['--env', 'c'],
      /no environment c[^]*It has a, b\./,
    ],
    [
      'the environment of NODE_ENV',
      `{ a: ${config('x')}, b: ${config('x')} }`,
      [],
      /no environment development[^]*It has a, b\./,
    ],
    ['an environment where it has none', config('x'), ['--env', 'c'], /no environment c[^]*no environments/],
    ['nothing', '{}', [], /it exports no configuration/],
    ['a configuration that Knex refuses', `{ client: 'nosuchclient' }`, [], /INVALID_KNEXFILE/],
  ])('is refused where it is asked for, or has, %s', async (_what, exported, flags, said) => {
    const project = await createProject({ 'knexfile.js': `module.exports = ${exported}` })
    const { code, stderr } = await project.run(['new', 'probe', ...flags])
    expect(code).toBe(2)
    expect(stderr).toMatch(said)
  })

  test.each([
    [
      'throws',
      'throw new Error("DATABASE_URL is missing")',
      /knexfile\.js: DATABASE_URL is missing \(.*knexfile\.js:1\) {2}INVALID_KNEXFILE/,
    ],
    ['does not parse', 'module.exports = {', /knexfile\.js: .* \(.*knexfile\.js:1\) {2}INVALID_KNEXFILE/],
    [
      'rejects',
      'module.exports = async () => { throw new Error("no vault") }',
      /no vault \(.*knexfile\.js:1\) {2}INVALID_KNEXFILE/,
    ],
  ])('is named where it %s', async (_what, content, said) => {
    const project = await createProject({ 'knexfile.js': content })
    const { code, stderr } = await project.run(['status'])
    expect(code).toBe(2)
    expect(stderr).toMatch(said)
    expect(stderr).not.toMatch(/^ +at /m)
  })

  test.each([
    [
      'none is there',
      {},
      ['status'],
      /No Knex configuration found in .*\n.*Name the file with --knexfile, or the server with --database-url/,
    ],
    [
      'the one that is named is not there',
      { 'knexfile.js': knexfile },
      ['status', '--knexfile', 'other.ts'],
      /No Knex configuration found in .*other\.ts/,
    ],
    ['it has no connection', { 'knexfile.js': knexfile }, ['status'], /its connection is undefined/],
  ])('is asked for where %s', async (_what, files: Readonly<Record<string, string>>, flags, said) => {
    const { code, stdout, stderr } = await (await createProject(files)).run(flags)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(said)
  })
})
