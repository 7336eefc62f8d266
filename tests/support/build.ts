import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'

const root = resolve(__dirname, '../..')

/** The built command line, which the tests spawn as users do. */
export const builtCli = join(root, 'dist/cli/main.js')

/** Builds dist where a source is newer than it, as `npm pack` does: it holds nothing of an earlier build. */
export async function buildIfStale(): Promise<void> {
  const files = await readdir(join(root, 'src'), { recursive: true })
  const newest = Math.max(...files.map((file) => statSync(join(root, 'src', file)).mtimeMs))
  if (existsSync(builtCli) && statSync(builtCli).mtimeMs > newest) return
  for (const script of ['prepack', 'prepare']) {
    const { status, stdout } = spawnSync('npm', ['run', '--silent', script], { cwd: root, encoding: 'utf8' })
    if (status !== 0) throw new Error(`npm run ${script} failed:\n${stdout}`)
  }
}
