import Module, { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'

/**
 * Loads lodash as one file instead of the 252 that Knex requires one by one, which take a twentieth of a whole `up`.
 *
 * Its functions are put into Node's cache of modules as if each had been required from its own file.
 */
export function loadLodashAtOnce(): void {
  const fromKnex = createRequire(require.resolve('knex'))
  const main = resolveOrNull(fromKnex, 'lodash')
  if (main === null) return
  const folder = dirname(main)
  const lodash = fromKnex(main) as Readonly<Record<string, unknown>>
  for (const [name, method] of Object.entries(lodash)) {
    if (typeof method !== 'function') continue
    const path = `${folder}${sep}${name}.js`
    require.cache[path] ??= loaded(path, method)
  }
}

/**
 * Does something that loads pg, which otherwise makes Node 20 load all of `fetch`, for 20 ms.
 *
 * pg looks whether it runs in a worker of Cloudflare, at first in `navigator`, which Node has from release 21 on, and
 * without one in a `Response`.
 */
export function withNavigator<Result>(work: () => Result): Result {
  if ('navigator' in globalThis) return work()
  const navigator = { userAgent: `Node.js/${process.versions.node.split('.')[0]}` }
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true })
  try {
    return work()
  } finally {
    Reflect.deleteProperty(globalThis, 'navigator')
  }
}

function loaded(path: string, exports: unknown): NodeJS.Module {
  return Object.assign(new Module(path), { filename: path, loaded: true, exports })
}

function resolveOrNull(from: NodeJS.Require, name: string): string | null {
  try {
    return from.resolve(name)
  } catch {
    return null
  }
}
