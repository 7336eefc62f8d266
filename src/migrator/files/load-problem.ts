import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type * as jiti from 'jiti'

import { errorMessage, isPgvectorMigrationError } from '../../core/errors.ts'

/** Why a user's file could not be loaded, and where. */
export interface LoadProblem {
  readonly problem: string
  /** The file with the problem: the one to be loaded, or one that it imports. */
  readonly path?: string
  /** Null if neither Node nor a parser reports it. */
  readonly line: number | null
  readonly hint: string
}

/**
 * Explains an error that was thrown while a file was loaded: a syntax error, a missing import, a throw at the top
 * level. The path is empty if no file is known.
 */
export function loadProblem(error: unknown, path: string): LoadProblem {
  const missing = missingModule(error)
  const said = errorMessage(error)
  // The first line is followed by the stack of imports and, from a parser, by the position.
  const first = isPgvectorMigrationError(error) ? said : (said.split('\n')[0] ?? '')
  const problem = first
    .replace(/^ParseError: /, '')
    .replace(/ imported from .*$/, '')
    .trim()
  const place =
    placeIn(error) ??
    (missing === null ? null : importOf(missing, importerOf(error) ?? path)) ??
    parsedPlace(error, path)
  const found = place?.path ?? path
  return { problem, ...(found === '' ? {} : { path: found }), line: place?.line ?? null, hint: hintFor(error, missing) }
}

interface Place {
  readonly path: string
  readonly line: number
}

const AGAIN = 'then run the same command again.'

function hintFor(error: unknown, missing: string | null): string {
  if (isPgvectorMigrationError(error)) return error.hint
  if (missing !== null) {
    const isFile = /^([./]|[a-z]:)/i.test(missing)
    return isFile
      ? `Correct the path of the import, or add the file, ${AGAIN}`
      : `Run: npm install ${packageOf(missing)}; ${AGAIN}`
  }
  const kind = wrongKind(errorMessage(error))
  if (kind !== null) return `${kind} ${AGAIN.replace(/^t/, 'T')}`
  return isSyntaxError(error)
    ? `Correct the syntax there, ${AGAIN}`
    : `The file failed while it was loaded. Correct it there, or move what may fail into a function, ${AGAIN}`
}

// Node's messages for a file whose module format does not match its package or its name.
function wrongKind(said: string): string | null {
  if (/^(Unexpected token 'export'|Cannot use import statement outside a module)/.test(said))
    return 'This is an ES module in a CommonJS package: name it .mjs, set "type": "module" in package.json, or write exports.up = ….'
  if (/^(require|module|exports) is not defined in ES module scope/.test(said))
    return 'This is CommonJS in an ES module: name it .cjs, or write export async function up ….'
  return null
}

// pgvector/knex is a file of the package pgvector, but npm would read it as a GitHub repository.
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function isSyntaxError(error: unknown): boolean {
  return error instanceof SyntaxError || errorMessage(error).startsWith('ParseError: ')
}

const POSITION = /:(\d+)(?::\d+)?(?=[\s)]|$)/
const PATH = /file:\/\/|\/|[A-Za-z]:[\\/]/

// Node puts the position of a syntax error before the message, and jiti puts it after. A thrown error has stack frames.
function placeIn(error: unknown): Place | null {
  if (!(error instanceof Error)) return null
  for (const { found, line } of (error.stack ?? error.message).split('\n').flatMap(positionIn)) {
    const path = found.startsWith('file:') ? fileURLToPath(found) : found
    // The frames that load the file are followed by those of the caller.
    if (path.startsWith(__dirname)) return null
    if (isOfUser(path)) return { path, line }
  }
  return null
}

// Matches a path and a line, with or without parentheses. One expression for both would backtrack.
function positionIn(text: string): readonly { readonly found: string; readonly line: number }[] {
  const position = POSITION.exec(text)
  if (position === null) return []
  const before = text.slice(0, position.index)
  const inside = before.slice(before.lastIndexOf('(') + 1)
  const start = inside.search(PATH)
  return start === -1 ? [] : [{ found: inside.slice(start), line: Number(position[1]) }]
}

const PACKAGE = join(__dirname, '../..')

function isOfUser(path: string): boolean {
  return !/[\\/]node_modules[\\/]/.test(path) && !path.startsWith(PACKAGE) && existsSync(path)
}

/** Returns the module that an import did not find. */
function missingModule(error: unknown): string | null {
  const code = String((error as { readonly code?: unknown } | null)?.code)
  if (!/^(ERR_)?MODULE_NOT_FOUND$/.test(code)) return null
  return /^Cannot find (?:module|package) '([^']+)'/.exec(errorMessage(error))?.[1] ?? null
}

function importerOf(error: unknown): string | null {
  const { requireStack } = error as { readonly requireStack?: readonly string[] }
  const importer = requireStack?.[0] ?? / imported from (.+)$/m.exec(errorMessage(error))?.[1]
  return importer !== undefined && isOfUser(importer) ? importer : null
}

// Node reports an absolute path for an import that was written as a relative one.
function importOf(missing: string, path: string): Place | null {
  const name = missing.split(/[\\/]/).at(-1) ?? missing
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
  const index = lines.findIndex((line) => /\b(import|from|require)\b/.test(line) && line.includes(name))
  return index === -1 ? null : { path, line: index + 1 }
}

// Node does not report the position of a syntax error in an ES module.
function parsedPlace(error: unknown, path: string): Place | null {
  if (!(error instanceof SyntaxError) || !existsSync(path)) return null
  const missing = /requested module '([^']+)'/.exec(error.message)?.[1]
  if (missing !== undefined) return importOf(missing, path)
  const { createJiti } = require('jiti') as typeof jiti
  // jiti replaces what it cannot transform with a description of the error.
  const transformed = createJiti(path).transform({ source: readFileSync(path, 'utf8'), filename: path })
  const line = /^exports\.__JITI_ERROR__ = .*?"line":(\d+)/.exec(transformed)?.[1]
  return line === undefined ? null : { path, line: Number(line) }
}
