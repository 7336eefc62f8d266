import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(__dirname, '../..')

/** A subpath of the package, as `package.json` exports it. */
export interface Entry {
  /** What an application imports. */
  readonly specifier: string
  /** Its source, in `src`. */
  readonly file: string
}

/** Every subpath of the package that has code. */
export const entries: readonly Entry[] = subpaths()
  .filter((subpath) => subpath !== './package.json')
  .map((subpath) => ({
    specifier: subpath.replace('.', 'knex-pgvector'),
    file: subpath === '.' ? 'src/index.ts' : `${subpath.replace('.', 'src')}.ts`,
  }))

function subpaths(): string[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly exports: object }
  return Object.keys(manifest.exports)
}
