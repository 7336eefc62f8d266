import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { runCli } from './support/cli.ts'

describe('the help of the command line in docs/command-line.md', () => {
  test('is what the command line prints; `npm run docs` writes it', async () => {
    const { stdout, code } = await runCli(['--help'])
    expect(code).toBe(0)
    expect(readFileSync(resolve('docs/command-line.md'), 'utf8')).toContain(stdout.trimEnd())
  })
})
