import { readdir, readFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'

import { up as find } from 'empathic/find'
import { up as walk } from 'empathic/walk'

import type { MigrationLanguage } from './templates.ts'

/**
 * Options that determine how a new migration is written. The files in its folder take precedence over all of them
 * except `extension`.
 */
export interface FileKindOptions {
  /**
   * As Knex's own `migrations.extension`: ts, js, cjs, mjs; default: the extension of the other files in the folder.
   */
  readonly extension?: string | undefined
  /** As Knex's own `migrations.loadExtensions`: the extensions of files that count as migrations; default: all. */
  readonly loadExtensions?: readonly string[] | undefined
  /** The path of the knexfile; default: the first one found from the folder up to the package.json above it. */
  readonly knexfile?: string | undefined
}

/** The file type of a migration. */
export interface FileKind {
  /** With its dot. */
  readonly extension: string
  readonly language: MigrationLanguage
}

const KNOWN = /^\.[cm]?[jt]s$/

/**
 * Chooses how to write a new migration: as Knex is configured, else as the last one in its folder, else as the project
 * is.
 */
export async function fileKindFor(
  directory: string,
  last: string | undefined,
  options: FileKindOptions,
): Promise<FileKind> {
  const extension = givenExtension(options.extension) ?? (last === undefined ? null : extname(last))
  const folders = await foldersAbove(directory)
  const chosen = extension ?? loadable(await extensionOfProject(folders, options.knexfile), options.loadExtensions)
  return { extension: chosen, language: await languageOf(chosen, last, folders) }
}

// Knex has stubs for variants of an extension, like ts-schema, and for languages that this library does not write.
function givenExtension(configured: string | undefined): string | null {
  const extension = `.${(configured ?? '').toLowerCase().replace(/^\./, '').split('-', 1).join()}`
  return KNOWN.test(extension) ? extension : null
}

// Knex does not find .mjs by default, so .mjs is chosen only if nothing else would be found.
function loadable(extension: string, loadExtensions: readonly string[] | undefined): string {
  const candidates = [extension, '.js', '.cjs', '.mjs', '.ts']
  return candidates.find((each) => loadExtensions?.includes(each) ?? true) ?? extension
}

interface Folder {
  readonly path: string
  readonly files: readonly string[]
}

/** Returns the folder and its parents, up to the one with the package.json. */
async function foldersAbove(directory: string): Promise<Folder[]> {
  const project = find('package.json', { cwd: directory })
  const paths = walk(directory, project === undefined ? {} : { last: dirname(project) })
  return Promise.all(paths.map(async (path) => ({ path, files: await readdir(path).catch((): string[] => []) })))
}

// Follows the knexfile's extension, as Knex's command line does, because Knex can load that format.
async function extensionOfProject(folders: readonly Folder[], given: string | undefined): Promise<string> {
  const knexfile = given ?? folders.flatMap(({ files }) => files).find((file) => /^knexfile\.[cm]?[jt]s$/.test(file))
  if (knexfile !== undefined) return { '.cjs': '.cjs', '.js': '.js', '.mjs': '.js' }[extname(knexfile)] ?? '.ts'
  const { dependencies, devDependencies, isThere } = await packageOf(folders)
  const isTypeScript =
    folders.some(({ files }) => files.includes('tsconfig.json')) ||
    'typescript' in { ...dependencies, ...devDependencies }
  return isThere && !isTypeScript ? '.js' : '.ts'
}

async function languageOf(
  extension: string,
  last: string | undefined,
  folders: readonly Folder[],
): Promise<MigrationLanguage> {
  if (extension.endsWith('ts')) return 'typescript'
  if (extension !== '.js') return extension === '.mjs' ? 'module' : 'commonjs'
  const isModule =
    last !== undefined && extname(last) === '.js'
      ? /^export /m.test(await readFile(last, 'utf8'))
      : (await packageOf(folders)).type === 'module'
  return isModule ? 'module' : 'commonjs'
}

interface Package {
  readonly isThere: boolean
  readonly type?: unknown
  readonly dependencies?: object
  readonly devDependencies?: object
}

async function packageOf(folders: readonly Folder[]): Promise<Package> {
  const folder = folders.find(({ files }) => files.includes('package.json'))
  if (folder === undefined) return { isThere: false }
  try {
    const content = JSON.parse(await readFile(join(folder.path, 'package.json'), 'utf8')) as object | null
    return { ...content, isThere: true }
  } catch {
    // Node reports the invalid file to its author.
    return { isThere: true }
  }
}
