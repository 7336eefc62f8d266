import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { linesMissing, npmSettings } from './support/examples.ts'
import { packedLibrary } from './support/packed.ts'
import { run } from './support/run.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'

afterAll(removeTemporaryFolders)

describe('docs/start.md', () => {
  test(
    'leads from an empty folder to a search and back, in JavaScript, and prints what it says',
    async () => {
      const page = await readFile(join(__dirname, '../docs/start.md'), 'utf8')
      const section = page.split('\n## ').find((text) => text.startsWith('JavaScript\n')) ?? ''
      const app = await temporaryFolder()
      const outputs: { readonly promised: string; readonly printed: string }[] = []
      let printed = ''
      for (const { language, code, file } of stepsOf(section)) {
        if (language === 'js') await save(join(app, file), code)
        if (language === 'text') outputs.push({ promised: timeless(code), printed: timeless(printed) })
        if (language === 'sh')
          printed = await output(code.replace(' knex-pgvector ', ` ${await packedLibrary()} `), app)
      }
      expect(outputs.length).toBeGreaterThan(2)
      for (const each of outputs) expect(linesMissing(each.promised, each.printed)).toEqual([])
    },
    5 * 60_000,
  )
})

interface Step {
  readonly language: string
  readonly code: string
  /** The file that the text before the block names. */
  readonly file: string
}

function stepsOf(section: string): Step[] {
  const blocks = [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
  return blocks.map(({ index, 1: language = '', 2: code = '' }) => {
    const file = [...section.slice(0, index).matchAll(/`([\w/]+\.js)`/g)].at(-1)?.[1] ?? ''
    return { language, code, file }
  })
}

async function save(path: string, code: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, code)
}

async function output(shell: string, cwd: string): Promise<string> {
  const env = { ...npmSettings, DATABASE_URL: '' }
  const { code, stdout, stderr } = await run('bash', ['-euo', 'pipefail', '-c', shell], { cwd, env })
  if (code !== 0) throw new Error(`${shell} ended with ${code}:\n${stdout}${stderr}`)
  return stdout + stderr
}

function timeless(text: string): string {
  return text.replaceAll(/built in [\d.]+ s/g, 'built in … s')
}
