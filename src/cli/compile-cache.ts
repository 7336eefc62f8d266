import { lstatSync, mkdirSync } from 'node:fs'
import Module from 'node:module'
import { dirname, join } from 'node:path'

import { up } from 'empathic/find'

/** Node has it from release 22.1 on. */
type EnableCompileCache = ((folder: string) => unknown) | undefined

/**
 * Keeps compiled modules in `node_modules/.cache` of the project, so that the next command starts faster. Without a
 * folder that this user alone can write, or on Node 20, nothing is kept.
 */
export function useCompileCache(): void {
  const { enableCompileCache } = Module as { readonly enableCompileCache?: EnableCompileCache }
  if (enableCompileCache === undefined) return
  const folder = privateFolder()
  if (folder !== null) enableCompileCache(folder)
}

// What lies in there is executed, so nobody else may be able to write it.
function privateFolder(): string | null {
  const modules = up('node_modules', { cwd: process.cwd() })
  if (modules === undefined) return null
  const folder = join(modules, '.cache', 'knex-pgvector', 'compiled')
  try {
    mkdirSync(dirname(folder), { recursive: true })
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const found = lstatSync(folder)
    // Windows has neither, and keeps the folders of a user to that user.
    const isOurs = process.getuid === undefined || (found.uid === process.getuid() && (found.mode & 0o077) === 0)
    return found.isDirectory() && isOurs ? folder : null
  } catch {
    return null
  }
}
