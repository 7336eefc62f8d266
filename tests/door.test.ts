import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

import ts from 'typescript'

import { entries } from './support/entries.ts'

const root = join(__dirname, '..')

// What a user's configuration and migration source say is theirs, not Knex's inside.
const ALLOWED = new Set([
  'Config',
  'FunctionHelper',
  'MigrationSource',
  'MigratorConfig',
  'QueryCallback',
  'StaticConnectionConfig',
])

describe('the source', () => {
  test('reaches into Knex and its driver only in src/database and src/embedded', () => {
    const fixture = join(root, 'tests/fixtures/reach.ts')
    const program = worker.createProgram([
      ...entries.map(({ file }) => join(root, file)),
      join(root, 'src/cli/main.ts'),
      ...commands(),
      fixture,
    ])
    const checker = program.getTypeChecker()
    const sources = program
      .getSourceFiles()
      .filter(({ fileName }) => fileName.startsWith(join(root, 'src')))
      .filter(({ fileName }) => !/[\\/]src[\\/](database|embedded)[\\/]/.test(fileName))
    expect(sources.length).toBeGreaterThan(100)
    expect(sources.flatMap((source) => reachesIn(source, checker))).toEqual([])
    const reach = program.getSourceFile(fixture)
    expect(reach === undefined ? [] : reachesIn(reach, checker)).toHaveLength(3)
  })

  test('loads no module of its own at run time but on the command line, so that plain jest can load all of it', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    const dynamic = files
      .filter((file) => file.endsWith('.ts') && !file.startsWith('cli'))
      .filter((file) => /\bimport\(['"`]\./.test(readFileSync(join(root, 'src', file), 'utf8')))
    expect(dynamic).toEqual([])
  })
})

function commands(): string[] {
  const folder = join(root, 'src/cli/commands')
  return readdirSync(folder).map((file) => join(folder, file))
}

function reachesIn(source: ts.SourceFile, checker: ts.TypeChecker): string[] {
  const found: string[] = []
  const report = (node: ts.Node, of: ts.Node): void => {
    const name = foreignName(checker.getTypeAtLocation(of))
    if (name === undefined) return
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source))
    found.push(`${relative(root, source.fileName)}:${line + 1} ${node.getText(source)} (a member of ${name})`)
  }
  const visit = (node: ts.Node): void => {
    // extends Knex.MigrationSource names a type.
    if (ts.isHeritageClause(node)) return
    if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) report(node, node.expression)
    if (ts.isObjectBindingPattern(node)) report(node, node)
    if (ts.isNewExpression(node) || ts.isCallExpression(node)) {
      const callee = node.expression.getText(source)
      if (callee === 'Knex' || callee === 'knex') report(node, node.expression)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The name of a type that Knex or node-postgres declares; undefined for any other, and for those of configurations. */
function foreignName(type: ts.Type): string | undefined {
  if (type.isUnionOrIntersection()) return type.types.map(foreignName).find((name) => name !== undefined)
  const symbol = type.aliasSymbol ?? type.symbol
  const file = symbol?.declarations?.[0]?.getSourceFile().fileName ?? ''
  if (!/node_modules[\\/](knex|pg|@types[\\/]pg)[\\/]/.test(file) || ALLOWED.has(symbol.name)) return undefined
  return symbol.name
}
