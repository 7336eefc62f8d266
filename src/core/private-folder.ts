import { lstatSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { up } from 'empathic/find'

/**
 * A folder for what is executed later: in `node_modules/.cache` of a project, and writable for this user alone. Null where
 * there is none. A folder for temporary files would be shared, and what lies there may be anyone's.
 */
export function privateFolder(name: string, from: string): string | null {
  const modules = up('node_modules', { cwd: from })
  if (modules === undefined) return null
  const folder = join(modules, '.cache', 'knex-pgvector', name)
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
