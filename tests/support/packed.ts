import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { onceARun } from './once-a-run.ts'
import { succeed } from './run.ts'
import { temporaryFolder } from './temporary.ts'

const root = join(__dirname, '..', '..')

/**
 * Packs the library as `npm publish` would, once a run; its scripts have been run for the tests already. A release names
 * the tarball that it is going to publish.
 */
export async function packedLibrary(): Promise<string> {
  const released = process.env['KNEX_PGVECTOR_TARBALL']
  if (released !== undefined) return released
  const destination = await onceARun('packed', pack)
  const [filename = ''] = await readdir(destination)
  return join(destination, filename)
}

async function pack(destination: string): Promise<void> {
  await succeed('npm', ['pack', '--ignore-scripts', '--pack-destination', destination], { cwd: root })
}

// The files of an application by path; the values are their contents.
type AppFiles = Readonly<Record<string, string>>

/** Makes an application in a folder of its own and installs packages into it: by name as in our lockfile, or `name@version`. */
export async function createApp(files: AppFiles, packages: readonly string[]): Promise<string> {
  const app = await temporaryFolder()
  await addFiles(app, files)
  await install(app, packages)
  return app
}

async function addFiles(folder: string, files: AppFiles): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
}

async function install(app: string, packages: readonly string[]): Promise<void> {
  const named = await Promise.all(
    packages.map(async (name) => (isExact(name) ? name : `${name}@${await locked(name)}`)),
  )
  await succeed('npm', ['install', ...installFlags, ...named], { cwd: app })
}

// What makes an installation quick: from npm's cache where possible, and nothing but the packages.
const installFlags = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--no-update-notifier']

function isExact(name: string): boolean {
  return name.endsWith('.tgz') || name.lastIndexOf('@') > 0
}

async function locked(name: string): Promise<string> {
  const lockfile = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lockfile
  const version = lockfile.packages[`node_modules/${name}`]?.version
  if (version === undefined) throw new Error(`${name} is not in package-lock.json`)
  return version
}

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version: string } | undefined>>
}
