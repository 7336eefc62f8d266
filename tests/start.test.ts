import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { linesMissing, npmSettings } from './support/examples.ts'
import { packedLibrary } from './support/packed.ts'
import { run, succeed } from './support/run.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

// npm installs real packages here, on a machine that may be busy.
jest.setTimeout(5 * 60_000)

afterAll(removeTemporaryFolders)

describe('docs/start.md', () => {
  test('leads from an empty folder to a search, a test in jest and back, in JavaScript, and prints what it says', async () => {
    const { outputs } = await follow('JavaScript')
    expect(outputs).toHaveLength(4)
    for (const { promised, printed } of outputs) expect(linesMissing(promised, printed)).toEqual([])
  })

  test('leads from an empty folder to a search and a test in vitest, in TypeScript, and prints what it says', async () => {
    const { outputs, app, files } = await follow('TypeScript and ES modules')
    expect(outputs).toHaveLength(2)
    for (const { promised, printed } of outputs) expect(linesMissing(promised, printed)).toEqual([])
    await expect(succeed('npx', ['tsc', ...strictly.split(' '), ...files], { cwd: app })).resolves.toBe('')
  })
})

const strictly =
  '--noEmit --strict --skipLibCheck --allowImportingTsExtensions --target es2022 --module nodenext --types node'

/** An application made by the steps of a section, and what each step printed against what the page says. */
interface Followed {
  readonly app: string
  readonly files: readonly string[]
  readonly outputs: readonly { readonly promised: string; readonly printed: string }[]
}

async function follow(title: string): Promise<Followed> {
  const page = await readFile(join(__dirname, '../docs/start.md'), 'utf8')
  const section = page.split('\n## ').find((text) => text.startsWith(`${title}\n`)) ?? ''
  const app = await temporaryFolder()
  const outputs: { readonly promised: string; readonly printed: string }[] = []
  const files: string[] = []
  let printed = ''
  for (const { language, code, file } of stepsOf(section)) {
    if (language === 'sh') printed = await output(await withThisLibrary(code), app)
    else if (language === 'text') outputs.push({ promised: timeless(code), printed: timeless(printed) })
    else {
      files.push(file)
      await save(join(app, file), code)
    }
  }
  return { app, files, outputs }
}

async function withThisLibrary(shell: string): Promise<string> {
  return shell.replace(/^npm install knex-pgvector /m, `npm install ${await packedLibrary()} `)
}

interface Step {
  readonly language: string
  readonly code: string
  /** The file that the text before the block names. */
  readonly file: string
}

function stepsOf(section: string): Step[] {
  const blocks = [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
  return blocks.map(({ index, 1: language = '', 2: code = '' }) => {
    const file = [...section.slice(0, index).matchAll(/`([\w./]+\.[jt]s)`/g)].at(-1)?.[1] ?? ''
    return { language, code, file }
  })
}

async function save(path: string, code: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, code)
}

async function output(shell: string, cwd: string): Promise<string> {
  const env = { ...npmSettings, DATABASE_URL: '', NO_COLOR: '1' }
  const { code, stdout, stderr } = await run('bash', ['-euo', 'pipefail', '-c', shell], { cwd, env })
  if (code !== 0) throw new Error(`${shell} ended with ${code}:\n${stdout}${stderr}`)
  return stdout + stderr
}

function timeless(text: string): string {
  return text.replaceAll(/built in [\d.]+ s/g, 'built in … s')
}
