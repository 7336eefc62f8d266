import { dirname, join } from 'node:path'

import { builtCli } from './support/build.ts'
import { describeOnOneServer } from './support/databases.ts'
import { createProject, knexfile } from './support/project.ts'
import { run } from './support/run.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

afterEach(removeTemporaryFolders)

interface Loaded {
  readonly name: string
  readonly code: string
  readonly message: string
  readonly hint: string
}

// In a process of its own: jest loads modules in a way of its own.
const loadAll = `
  const { migrationSource } = require('knex-pgvector')
  const { listMigrations } = require(${JSON.stringify(join(dirname(builtCli), '../migrator/files/list.js'))})
  const source = migrationSource({ directory: 'migrations', keepExtensions: true })
  const main = async () => {
    const files = await listMigrations({ source, loadExtensions: [], disableTransactions: false })
    const all = []
    for (const name of files.names)
      await files.load(name).catch(({ code, message, hint }) => all.push({ name, code, message, hint }))
    console.log(JSON.stringify(all))
  }
  void main()
`

const broken: Readonly<Record<string, readonly [content: string, problem: RegExp, line: number, hint: RegExp]>> = {
  'syntax.js': [`exports.up = async () => {\n  f('x'\n}`, /missing \) after argument list/, 2, /^Correct the syntax/],
  'syntax.mjs': [`export const up = () => {\n  f('x'\n}`, /missing \) after argument list/, 3, /^Correct the syntax/],
  'syntax.ts': [`export const up = (): void => {\n  f('x'\n}`, /Unexpected token/, 3, /^Correct the syntax/],
  'import.js': [`\nrequire('./nothing')`, /Cannot find module '.\/nothing'/, 2, /^Correct the path/],
  'import.mjs': [`\nimport './nothing.js'`, /Cannot find module '.*nothing.js'/, 2, /^Correct the path/],
  'import.ts': [`\nimport { x } from './nothing'\nx()`, /Cannot find module '.\/nothing'/, 2, /^Correct the path/],
  'package.js': [
    `require('no-such-package/part')`,
    /Cannot find module 'no-such-package\/part'/,
    1,
    /npm install no-such-package;/,
  ],
  'package.mjs': [
    `import 'no-such-package'`,
    /Cannot find package 'no-such-package'/,
    1,
    /npm install no-such-package/,
  ],
  'package.ts': [`import 'no-such-package'`, /Cannot find module 'no-such-package'/, 1, /npm install no-such-package/],
  'export.mjs': [
    `\nimport { nothing } from 'node:fs'\nnothing()`,
    /The requested module 'node:fs' does not provide an export/,
    2,
    /^Correct the syntax/,
  ],
  'throw.js': [`\n\nthrow new Error('no model')`, /no model/, 3, /failed while it was loaded/],
  'throw.mjs': [`\n\nthrow new Error('no model')`, /no model/, 3, /failed while it was loaded/],
  'throw.ts': [`const a: string = 'no'\n\nthrow new Error(a + ' model')`, /no model/, 3, /failed while it was loaded/],
  'later.mjs': [`await null\nthrow new Error('no model')`, /no model/, 2, /failed while it was loaded/],
  'reference.ts': [`\nconst a: number = b + 1\nexport { a }`, /b is not defined/, 2, /failed while it was loaded/],
  'ours.ts': [
    `import { vectorColumn } from 'knex-pgvector'\n\nvectorColumn('a', 'b', { dimensions: 0 })`,
    /Invalid options/,
    3,
    /Correct the options/,
  ],
}

describe('a migration file that cannot be loaded', () => {
  test('is reported with the file, the line and the next step, whatever is wrong with it', async () => {
    const files = Object.entries(broken).map(([name, [content]]) => [`migrations/${name}`, content])
    const helpers = {
      'migrations/text.js': `throw 'no error'`,
      'migrations/nested.ts': `import { f } from '../helper'\nf()`,
      'helper.ts': `export const g = 1\nexport const f = ( => 1`,
    }
    const project = await createProject({ ...Object.fromEntries(files), ...helpers, 'load.js': loadAll })
    const { stdout, stderr } = await run(process.execPath, ['load.js'], { cwd: project.folder })
    expect(stderr).toBe('')
    const loaded = new Map((JSON.parse(stdout) as Loaded[]).map((each) => [each.name, each]))
    for (const [name, [, problem, line, hint]] of Object.entries(broken)) {
      expect(loaded.get(name)).toEqual({
        name,
        code: 'INVALID_MIGRATION',
        message: expect.stringMatching(
          new RegExp(`^Invalid migration ${name}: ${problem.source}[^]* \\(/.*/migrations/${name}:${line}\\)$`),
        ),
        hint: expect.stringMatching(hint),
      })
    }
    expect(loaded.get('text.js')?.message).toMatch(/^Invalid migration text.js: no error \(.*text.js\)$/)
    expect(loaded.get('nested.ts')?.message).toMatch(
      /^Invalid migration nested.ts: Unexpected token \(.*helper.ts:2\)$/,
    )
  })
})

describeOnOneServer('a project with a file that cannot be loaded', (database) => {
  const throwing = `\nthrow new Error('no model')`
  const place = (file: string): RegExp =>
    new RegExp(`✗ Invalid .*: no model \\(.*${file}:2\\) {2}INVALID_\\w+\\n {2}Next`)

  test.each(['up', 'rehearse', 'plan', 'lint', 'adopt'])('ends %s with 2 for a migration', async (command) => {
    const project = await createProject({ 'knexfile.js': knexfile, 'migrations/001_throws.js': throwing })
    const { code, stderr } = await project.run([command], { DATABASE_URL: database().url ?? '' })
    expect(stderr).toMatch(place('001_throws.js'))
    expect(code).toBe(2)
  })

  test('ends down with 2 for a migration', async () => {
    const project = await createProject({ 'knexfile.js': knexfile })
    const env = { DATABASE_URL: database().url ?? '' }
    await project.write('migrations/001_throws.js', 'exports.up = async () => {}; exports.down = async () => {}')
    expect((await project.run(['up'], env)).code).toBe(0)
    await project.write('migrations/001_throws.js', throwing)
    const { code, stderr } = await project.run(['down', '--yes'], env)
    expect(stderr).toMatch(place('001_throws.js'))
    expect(code).toBe(2)
  })

  test.each(['js', 'ts', 'mjs'])('ends with 2 for a knexfile.%s', async (extension) => {
    const project = await createProject({ [`knexfile.${extension}`]: throwing })
    const { code, stderr } = await project.run(['status'])
    expect(stderr).toMatch(place(`knexfile.${extension}`))
    expect(code).toBe(2)
  })
})
