import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const root = join(__dirname, '..')
const { version } = require('../package.json') as { readonly version: string }

const notesOf = (tag: string): Promise<string> =>
  promisify(execFile)(process.execPath, [join(root, '.ci/release-notes.cjs'), tag]).then(
    ({ stdout }) => stdout,
    ({ stderr }: { readonly stderr: string }) => stderr,
  )

describe('a release', () => {
  test('has the section of the changelog as its notes', async () => {
    const notes = await notesOf('--rehearse')
    const changelog = await readFile(join(root, 'CHANGELOG.md'), 'utf8')
    expect(notes).toMatch(/^### Added\n/)
    expect(changelog).toContain(notes.trim())
    expect(notes).not.toMatch(/^## /m)
  })

  test('is refused where the tag is not the version of package.json', async () => {
    expect(await notesOf('v99.0.0')).toBe(`The tag is v99.0.0, and the version of package.json ${version}.\n`)
  })

  test('is refused where the changelog has no date for it', async () => {
    const changelog = await readFile(join(root, 'CHANGELOG.md'), 'utf8')
    const isReleased = new RegExp(`^## ${version.replaceAll('.', '\\.')} \\(\\d{4}-`, 'm').test(changelog)
    const refusal = `CHANGELOG.md needs the heading "## ${version} (YYYY-MM-DD)".\n`
    expect((await notesOf(`v${version}`)) === refusal).toBe(!isReleased)
  })

  test('is published with a provenance by a job that can do nothing else, and without a token', async () => {
    const workflow = await readFile(join(root, '.github/workflows/release.yml'), 'utf8')
    expect(workflow).toMatch(/^permissions: \{\}$/m)
    expect(workflow.match(/id-token: write/g)).toHaveLength(1)
    expect(workflow.match(/contents: write/g)).toHaveLength(1)
    expect(workflow).toMatch(/npm publish \S+ --provenance --access public/)
    expect(workflow).not.toMatch(/secrets\.|NODE_AUTH_TOKEN|NPM_TOKEN/)
    expect(workflow).toContain('bash .ci/run\n')
  })
})
