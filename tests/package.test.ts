import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { emptyDatabase } from './support/embedded-dump.ts'
import { createApp, packedLibrary } from './support/packed.ts'
import { run, succeed } from './support/run.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

// npm installs real packages here, on a machine that may be busy.
jest.setTimeout(4 * 60_000)

const PGLITE = ['@electric-sql/pglite', '@electric-sql/pglite-pgvector']
const PARSER = 'libpg-query'

const TYPES = ['@types/node', '@types/pg']

// The oldest compiler that is supported; it type-checks an application without skipLibCheck and without esModuleInterop.
const OLD_TYPESCRIPT = `typescript@${process.env['TEST_TYPESCRIPT'] ?? '5.4.5'}`

afterAll(removeTemporaryFolders)

describe('the package', () => {
  let app: string
  let root: string
  let files: string[]
  const filesIn = (folder: string): string[] => files.filter((path) => path.startsWith(`${folder}/`))

  beforeAll(async () => {
    const tarball = await packedLibrary()
    const listed = await succeed('tar', ['-tzf', tarball], { cwd: dirname(tarball) })
    files = listed
      .trim()
      .split('\n')
      .map((path) => path.replace(/^package\//, ''))
    const sources = { 'package.json': '{ "private": true }', 'embedded.js': withoutPGlite }
    app = await createApp(sources, [tarball, 'knex', 'pg'])
    root = join(app, 'node_modules', 'knex-pgvector')
  })

  test('has the build, the documentation and nothing else', () => {
    const names = files.map((path) => path.replace(/\/.*/, ''))
    expect([...new Set(names)].toSorted()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist',
      'docs',
      'package.json',
    ])
    expect(filesIn('dist').filter((path) => !/\.(m?js|d\.m?ts)$/.test(path))).toEqual([])
    expect(filesIn('docs').filter((path) => !/\.(md|svg)$/.test(path))).toEqual([])
  })

  test('declares what the public names need, and nothing of the command line', () => {
    const declared = filesIn('dist').filter((path) => path.endsWith('.d.ts'))
    expect(declared).toContain('dist/index.d.ts')
    expect(declared.filter((path) => path.startsWith('dist/cli/'))).toEqual([])
    expect(declared.length).toBeLessThan(filesIn('dist').filter((path) => path.endsWith('.js')).length / 2)
  })

  test('leaves the database drivers to the application, and PGlite and the parser to those who want them', async () => {
    const { dependencies, peerDependencies, peerDependenciesMeta } = await readJson<Manifest>(
      join(root, 'package.json'),
    )
    const peers = Object.keys(peerDependencies)
    expect(peers).toEqual([...PGLITE, 'knex', PARSER, 'pg'])
    expect(Object.keys(dependencies).filter((name) => peers.includes(name))).toEqual([])
    expect(Object.keys(peerDependenciesMeta)).toEqual([...PGLITE, PARSER])
    expect([join('..', '@electric-sql'), join('..', PARSER)].filter((path) => existsSync(join(root, path)))).toEqual([])
  })

  test('brings its command line', async () => {
    expect(await succeed('npx', ['knex-pgvector', '--help'], { cwd: app })).toContain('Usage: knex-pgvector')
  })

  test('works without PGlite, and says on the first query on the embedded database what to install', async () => {
    const { stdout } = await run('node', ['embedded.js'], { cwd: app })
    expect(answerOf(stdout)).toEqual({
      code: 'EMBEDDED_NOT_INSTALLED',
      message: 'The embedded database needs the package @electric-sql/pglite',
      hint: 'Run: npm install @electric-sql/pglite @electric-sql/pglite-pgvector',
    })
  })
})

describe('an application in JavaScript', () => {
  test('requires the library from CommonJS, and enables pgvector', async () => {
    expect(answerOf(await succeed('node', ['main.cjs'], { cwd: await modernApp() }))).toEqual({
      status: 'created',
      schema: 'public',
      code: 'INVALID_OPTIONS',
    })
  })

  test('imports the library as ES modules, and shares its objects with code that requires it', async () => {
    expect(answerOf(await succeed('node', ['main.mjs'], { cwd: await modernApp() }))).toEqual({
      status: 'created',
      sameClass: true,
      shared: [true, true, true, true, true, true],
      recognised: [true, true],
    })
  })
})

describe('an application in TypeScript that compiles to CommonJS', () => {
  let app: string

  beforeAll(async () => {
    app = await createApp(classicTypeScript, [
      await packedLibrary(),
      'knex',
      'pg',
      ...PGLITE,
      ...TYPES,
      '@types/jest',
      'jest',
      '@swc/core',
      '@swc/jest',
      'ts-node@10.9.2',
      OLD_TYPESCRIPT,
    ])
    await addEmptyDatabase(app)
  })

  test('is type-checked with the classic module resolution', async () => {
    await expect(succeed('npx', ['tsc', '--noEmit'], { cwd: app })).resolves.toBe('')
  })

  test('runs under ts-node', async () => {
    expect(answerOf(await succeed('npx', ['ts-node', 'main.ts'], { cwd: app }))).toEqual({ status: 'created' })
  })

  test('is tested with jest', async () => {
    const jest = join('node_modules', 'jest', 'bin', 'jest.js')
    const { code, stderr } = await run('node', ['--experimental-vm-modules', jest, '--ci'], { cwd: app })
    expect(stderr).toContain('Tests:       1 passed, 1 total')
    expect(code).toBe(0)
  })
})

describe('an application in TypeScript that compiles to ES modules', () => {
  test('is type-checked with the module resolution of Node, and runs', async () => {
    const app = await modernApp()
    expect(await succeed('npx', ['tsc'], { cwd: app })).toBe('')
    expect(answerOf(await succeed('node', [join('build', 'main.js')], { cwd: app }))).toEqual({ status: 'created' })
  })
})

let modern: Promise<string> | undefined

/** An application in JavaScript and TypeScript; one serves both, because installing its packages takes seconds. */
function modernApp(): Promise<string> {
  modern ??= createModernApp()
  return modern
}

async function createModernApp(): Promise<string> {
  const files = { ...modernTypeScript, 'main.cjs': inCommonJs, 'main.mjs': inEsm }
  const app = await createApp(files, [await packedLibrary(), 'knex', 'pg', ...PGLITE, ...TYPES, 'typescript'])
  await addEmptyDatabase(app)
  return app
}

const inCommonJs = `
const Knex = require('knex')
const { ensurePgvector, isPgvectorMigrationError } = require('knex-pgvector')
const { embeddedPgvector } = require('knex-pgvector/embedded')

async function main() {
  const knex = Knex(embeddedPgvector())
  const { status, schema } = await ensurePgvector(knex, { logger: false })
  const error = await ensurePgvector(knex, { minVersion: 8 }).catch((reason) => reason)
  await knex.destroy()
  console.log(JSON.stringify({ status, schema, code: isPgvectorMigrationError(error) && error.code }))
}

main()
`

const inEsm = `
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import Knex from 'knex'
import { PgvectorMigrationError, ensurePgvector, isPgvectorMigrationError } from 'knex-pgvector'
import { embeddedPgvector } from 'knex-pgvector/embedded'

const require = createRequire(import.meta.url)
const required = require('knex-pgvector')

async function areShared(subpath) {
  const own = require('knex-pgvector' + subpath)
  const imported = await import('knex-pgvector' + subpath)
  return Object.keys(own).length > 0 && Object.keys(own).every((name) => own[name] === imported[name])
}

const knex = Knex(embeddedPgvector({ loadDataDir: new Blob([readFileSync('empty.tar')]) }))
const { status } = await ensurePgvector(knex, { logger: false })
const error = await ensurePgvector(knex, { minVersion: 8 }).catch((reason) => reason)
await knex.destroy()
console.log(JSON.stringify({
  status,
  sameClass: required.PgvectorMigrationError === PgvectorMigrationError,
  shared: await Promise.all(['', '/doctor', '/embedded', '/fleet', '/lint', '/migrator'].map(areShared)),
  recognised: [isPgvectorMigrationError(error), required.isPgvectorMigrationError(error, 'INVALID_OPTIONS')],
}))
`

const withoutPGlite = `
const Knex = require('knex')
const { ensurePgvector } = require('knex-pgvector')
const { embeddedPgvector } = require('knex-pgvector/embedded')

ensurePgvector(Knex(embeddedPgvector())).catch(({ code, message, hint }) => {
  console.log(JSON.stringify({ code, message, hint }))
})
`

// A wrong option and a wrong field must not compile: had the types not been found, everything would be any.
const inTypeScript = `
import { readFileSync } from 'node:fs'

import Knex from 'knex'
import { ensurePgvector, isPgvectorMigrationError, migrationSource, type EnsureResult } from 'knex-pgvector'
import { diagnose, type Finding } from 'knex-pgvector/doctor'
import { embeddedPgvector, type EmbeddedOptions } from 'knex-pgvector/embedded'
import { lint, type LintFinding } from 'knex-pgvector/lint'
import { createMigrator, type PlanResult } from 'knex-pgvector/migrator'

const options: EmbeddedOptions = { loadDataDir: new Blob([readFileSync('empty.tar')]) }
const migrations: Knex.Knex.MigratorConfig = { migrationSource: migrationSource({ directory: 'migrations' }) }

export async function enable(): Promise<EnsureResult['status']> {
  const knex = Knex({ ...embeddedPgvector(options), migrations })
  try {
    const result = await knex.transaction((trx) => ensurePgvector(trx, { minVersion: '0.5.0', logger: false }))
    // @ts-expect-error there is no such status
    if (result.status === 'enabled') throw new Error('it never is')
    return result.status
  } finally {
    await knex.destroy()
  }
}

export async function look(knex: Knex.Knex): Promise<readonly [PlanResult, readonly LintFinding[], Finding['level'][]]> {
  const { findings } = await lint(knex, { skip: ['003'] })
  // @ts-expect-error a plan has no findings
  if ((await createMigrator(knex).plan()).findings) throw new Error('it never has')
  return [await createMigrator(knex).plan(), findings, (await diagnose(knex)).map(({ level }) => level)]
}

export async function refuse(knex: Knex.Knex): Promise<string> {
  try {
    // @ts-expect-error a version is a string
    await ensurePgvector(knex, { minVersion: 8 })
  } catch (error) {
    if (isPgvectorMigrationError(error, 'PGVECTOR_VERSION_TOO_LOW')) return error.details.minimum
    // @ts-expect-error this code has no such field
    if (isPgvectorMigrationError(error, 'INVALID_OPTIONS')) return error.details.minimum
  }
  return 'none'
}
`

const classicTypeScript = {
  'package.json': '{ "private": true }',
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      module: 'commonjs',
      moduleResolution: 'node10',
      strict: true,
      types: ['node', 'jest'],
    },
  }),
  'enable.ts': inTypeScript,
  'main.ts': `
    import { enable } from './enable'
    void enable().then((status) => console.log(JSON.stringify({ status })))
  `,
  'enable.test.ts': `
    import { enable } from './enable'
    test('enables pgvector', async () => {
      expect(await enable()).toBe('created')
    }, 60_000)
  `,
  'jest.config.js': `module.exports = { transform: { '\\\\.ts$': '@swc/jest' } }`,
}

const modernTypeScript = {
  'package.json': '{ "private": true, "type": "module" }',
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      module: 'nodenext',
      strict: true,
      // The declarations of every dependency are checked in the classic application.
      skipLibCheck: true,
      types: ['node'],
      rootDir: 'src',
      outDir: 'build',
    },
    include: ['src'],
  }),
  'src/enable.ts': inTypeScript,
  'src/main.ts': `
    import { enable } from './enable.js'
    console.log(JSON.stringify({ status: await enable() }))
  `,
}

interface Manifest {
  readonly dependencies: object
  readonly peerDependencies: object
  readonly peerDependenciesMeta: object
}

// Saves the application an initdb.
async function addEmptyDatabase(app: string): Promise<void> {
  const dump = await emptyDatabase()
  await writeFile(join(app, 'empty.tar'), Buffer.from(await dump.arrayBuffer()))
}

async function readJson<Content>(path: string): Promise<Content> {
  return JSON.parse(await readFile(path, 'utf8')) as Content
}

// What an application says last: Knex and the library may have said something before.
function answerOf(stdout: string): unknown {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}
