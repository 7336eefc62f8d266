import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { runCli } from './support/cli.ts'

describe("the README's help of the command line", () => {
  test('is what the command line prints', async () => {
    const { stdout, code } = await runCli(['--help'])
    expect(code).toBe(0)
    expect(readFileSync(resolve('README.md'), 'utf8')).toContain(stdout.trimEnd())
  })
})
