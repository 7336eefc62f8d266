import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'

import type * as jiti from 'jiti'

import { privateFolder } from '../../core/private-folder.ts'

/** The exports of a JavaScript or TypeScript file. */
export type LoadedModule = Readonly<Record<string, unknown>>

/**
 * Loads a file as Node itself does.
 *
 * require() goes through the loaders that tools register for TypeScript, and reads ES modules since Node 20.19. Only a
 * module with a top-level await needs import().
 */
export async function loadNatively(path: string): Promise<LoadedModule> {
  try {
    return require(path) as LoadedModule
  } catch (error) {
    if (codeOf(error) !== 'ERR_REQUIRE_ASYNC_MODULE') throw error
    return (await import(pathToFileURL(path).href)) as LoadedModule
  }
}

/** Loads a file in TypeScript, or one that mixes it with JavaScript, without a registered loader. */
export async function loadWithJiti(path: string): Promise<LoadedModule> {
  // import() would take twice as long, because Node would parse jiti's compiler to find out what it exports.
  const { createJiti } = require('jiti') as typeof jiti
  // jiti's default cache, if there is no node_modules, is a folder that every user of the machine can write.
  return createJiti(path, { fsCache: privateFolder('jiti', dirname(path)) ?? false }).import<LoadedModule>(path)
}

/** Whether Node could not parse a file, as opposed to code in the file that failed. */
export function isUnreadable(error: unknown): boolean {
  return (
    error instanceof SyntaxError ||
    /^(ERR_UNKNOWN_FILE_EXTENSION|ERR_UNSUPPORTED_|(ERR_)?MODULE_NOT_FOUND)/.test(String(codeOf(error)))
  )
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code
}
