import { cp, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

import type { CurrentDatabase } from './databases.ts'
import { keepEmptyDatabase } from './embedded-dump.ts'
import { packedLibrary } from './packed.ts'
import { run } from './run.ts'
import { temporaryFolder } from './temporary.ts'

/** The folder of the examples. */
export const examples = join(__dirname, '..', '..', 'examples')

/** How the shell block of a README went. */
export interface ReadmeRun {
  /** Everything that was printed. */
  readonly output: string
  /** What the README says will be printed. */
  readonly promised: string
}

/** What a shell block runs with, and how it must end. */
export interface ReadmeNeeds {
  /** The server that DATABASE_URL names; none where it is absent. */
  readonly database?: CurrentDatabase
  readonly exitCode?: number
}

/** Runs the one shell block of an example's README, word for word, in a copy that installs this very library. */
export async function runReadme(name: string, { database, exitCode = 0 }: ReadmeNeeds = {}): Promise<ReadmeRun> {
  const app = await prepared(name)
  const readme = await readFile(join(app, 'README.md'), 'utf8')
  const [shell, ...others] = blocks(readme, 'sh')
  const [promised] = blocks(readme, 'text')
  if (shell === undefined || promised === undefined || others.length > 0) {
    throw new Error(`the README of ${name} must have one sh block, and a text block with what it prints`)
  }
  const url = database?.().url ?? ''
  const { code, stdout, stderr } = await run('bash', ['-euo', 'pipefail', '-c', shell], {
    cwd: app,
    env: { ...npmSettings, DATABASE_URL: url },
  })
  const output = stdout + stderr
  if (code !== exitCode) throw new Error(`the shell block of ${name} ended with ${code}:\n${output}`)
  return { output, promised }
}

/** What makes npm quick and quiet. */
export const npmSettings = {
  NPM_CONFIG_PREFER_OFFLINE: 'true',
  NPM_CONFIG_AUDIT: 'false',
  NPM_CONFIG_FUND: 'false',
  NPM_CONFIG_UPDATE_NOTIFIER: 'false',
}

const copies = new Map<string, Promise<string>>()

/** A copy of an example that installs this very library; one serves all tests, since a second `npm install` takes a moment. */
export function prepared(name: string): Promise<string> {
  const copy = copies.get(name) ?? prepare(name)
  copies.set(name, copy)
  return copy
}

const TARBALL = 'knex-pgvector.tgz'

async function prepare(name: string): Promise<string> {
  const app = join(await temporaryFolder(), name)
  const ignored = new Set(['node_modules', 'package-lock.json', '.pgdata', '.pgdata.pid'])
  await cp(join(examples, name), app, { recursive: true, filter: (path) => !ignored.has(basename(path)) })
  const manifest = JSON.parse(await readFile(join(app, 'package.json'), 'utf8')) as Manifest
  expect(manifest.dependencies).toHaveProperty('knex-pgvector')
  // Inside the folder, because an image is built from nothing else.
  await cp(await packedLibrary(), join(app, TARBALL))
  manifest.dependencies['knex-pgvector'] = `file:${TARBALL}`
  await writeFile(join(app, 'package.json'), JSON.stringify(manifest))
  await keepEmptyDatabase(app)
  return app
}

interface Manifest {
  readonly dependencies: Record<string, string>
}

function blocks(markdown: string, language: string): string[] {
  const found = markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))
  return [...found].map(([, content = '']) => content)
}

/** The lines that a README promises and that were not printed. */
export function linesMissing(promised: string, output: string): string[] {
  const printed = withoutVersions(output)
  const lines = withoutVersions(promised).trim().split('\n')
  return lines.filter((line) => !printed.includes(line.trim()))
}

// A README shows the versions and ports of one day.
function withoutVersions(text: string): string {
  return text.replaceAll(/(pgvector|PostgreSQL|port|localhost:) ?\d[\d.]*/g, '$1 …')
}
