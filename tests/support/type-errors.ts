import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import ts from 'typescript'

const root = resolve(__dirname, '../..')

/**
 * Compiles programs in an application that has the package, as strictly as this repository does where nothing else is
 * asked for; tells what is wrong.
 */
export function typeErrorsOf(
  programs: readonly string[],
  { settings = {}, extension = 'ts' }: { readonly settings?: ts.CompilerOptions; readonly extension?: string } = {},
): string[] {
  const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
    compilerOptions: object
  }
  const { options } = ts.convertCompilerOptionsFromJson(compilerOptions, root)
  const paths = { 'knex-pgvector': ['./src/index.ts'], 'knex-pgvector/*': ['./src/*.ts'] }
  Object.assign(options, { paths }, settings)
  const sources = new Map(programs.map((text, index) => [join(root, `program-${index}.${extension}`), text]))
  const disk = ts.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (file) => sources.has(file) || disk.fileExists(file),
    readFile: (file) => sources.get(file) ?? disk.readFile(file),
    getSourceFile: (file, ...rest) => {
      const text = sources.get(file)
      return text === undefined ? disk.getSourceFile(file, ...rest) : ts.createSourceFile(file, text, rest[0])
    },
  }
  const program = ts.createProgram([...sources.keys()], options, host)
  return [...sources.keys()].flatMap((file) => {
    const source = program.getSourceFile(file)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return found.map(
      ({ messageText }) => `${ts.flattenDiagnosticMessageText(messageText, '\n')} in:\n${sources.get(file)}`,
    )
  })
}
