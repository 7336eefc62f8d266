import { join, resolve } from 'node:path'

import type ts from 'typescript'

const root = resolve(__dirname, '../../..')

/** The compiler, which takes half a second to load. */
export function typescript(): typeof ts {
  return require('typescript') as typeof ts
}

const programs = new Map<string, ts.Program>()
const sources = new Map<string, ts.SourceFile>()

/**
 * A program of files and of texts by the names of files, with the options of this repository where `settings` has no
 * others. A file on disk is read and parsed once.
 */
export function createProgram(
  roots: readonly string[],
  settings: ts.CompilerOptions = {},
  texts: ReadonlyMap<string, string> = new Map(),
): ts.Program {
  const compiler = typescript()
  const options = { ...ownOptions(compiler), ...settings }
  // It decides about the files that are found, not about what is in them.
  const { paths: _paths, ...deciding } = options
  const disk = compiler.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (file) => texts.has(file) || disk.fileExists(file),
    readFile: (file) => texts.get(file) ?? disk.readFile(file),
    getSourceFile: (file, languageVersion, ...rest) => {
      const text = texts.get(file)
      if (text !== undefined) return compiler.createSourceFile(file, text, languageVersion)
      const key = JSON.stringify([file, languageVersion, deciding])
      const source = sources.get(key) ?? disk.getSourceFile(file, languageVersion, ...rest)
      if (source !== undefined) sources.set(key, source)
      return source
    },
  }
  const key = JSON.stringify([roots, options])
  const program = compiler.createProgram(roots, options, host, programs.get(key))
  programs.set(key, program)
  return program
}

function ownOptions(compiler: typeof ts): ts.CompilerOptions {
  const { config } = compiler.readConfigFile(join(root, 'tsconfig.json'), (path) => compiler.sys.readFile(path)) as {
    readonly config: { readonly compilerOptions: object }
  }
  return compiler.convertCompilerOptionsFromJson(config.compilerOptions, root).options
}
