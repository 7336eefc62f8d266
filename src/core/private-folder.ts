import { lstatSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { up } from 'empathic/find'

/**
 * Returns a folder for code that is executed later: in `node_modules/.cache` of a project, and writable for this user
 * alone. Returns null if there is none. A temporary folder is shared, so another user could have written what is in it.
 */
export function privateFolder(name: string, from: string): string | null {
  const modules = up('node_modules', { cwd: from })
  if (modules === undefined) return null
  const folder = join(modules, '.cache', 'knex-pgvector', name)
  try {
    mkdirSync(dirname(folder), { recursive: true })
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const found = lstatSync(folder)
    // Windows has neither user IDs nor modes, and restricts a user's folders to that user.
    const isOurs = process.getuid === undefined || (found.uid === process.getuid() && (found.mode & 0o077) === 0)
    return found.isDirectory() && isOurs ? folder : null
  } catch {
    return null
  }
}
