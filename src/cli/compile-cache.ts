import Module from 'node:module'

import { privateFolder } from '../core/private-folder.ts'

/** Available since Node 22.1. */
type EnableCompileCache = ((folder: string) => unknown) | undefined

/**
 * Keeps compiled modules in `node_modules/.cache` of the project, so that the next command starts faster. Without a
 * folder that this user alone can write, or on Node 20, nothing is kept.
 */
export function useCompileCache(): void {
  const { enableCompileCache } = Module as { readonly enableCompileCache?: EnableCompileCache }
  if (enableCompileCache === undefined) return
  const folder = privateFolder('compiled', process.cwd())
  if (folder !== null) enableCompileCache(folder)
}
