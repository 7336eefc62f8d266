import { join, resolve } from 'node:path'

import ts from 'typescript'

const root = resolve(__dirname, '../..')
const paths = { 'knex-pgvector': ['./src/index.ts'], 'knex-pgvector/*': ['./src/*.ts'] }

/**
 * Compiles programs in an application that has the package, as strictly as this repository does where nothing else is
 * asked for; tells what is wrong.
 */
export function typeErrorsOf(
  programs: readonly string[],
  { settings = {}, extension = 'ts' }: { readonly settings?: ts.CompilerOptions; readonly extension?: string } = {},
): string[] {
  const sources = new Map(programs.map((text, index) => [join(root, `program-${index}.${extension}`), text]))
  const program = worker.createProgram([...sources.keys()], { paths, ...settings }, sources)
  return [...sources.keys()].flatMap((file) => {
    const source = program.getSourceFile(file)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return found.map(
      ({ messageText }) => `${ts.flattenDiagnosticMessageText(messageText, '\n')} in:\n${sources.get(file)}`,
    )
  })
}
