import { join, resolve, sep } from 'node:path'

import ts from 'typescript'

import { entries } from './entries.ts'

const root = resolve(__dirname, '../..')
const dist = join(root, 'dist') + sep

/** Where the report is kept, so that a change of the public API is seen in a diff. */
export const reportFile = join(root, 'api-report.txt')

/** Every exported name of every subpath with its type, and the types that these refer to, from the built declarations. */
export function apiReport(): string {
  const program = ts.createProgram(entries.map(declarationsOf), {
    module: ts.ModuleKind.Node20,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    types: ['node'],
  })
  const checker = program.getTypeChecker()
  const shown = new Set<ts.Node>()
  const sections = entries.map((entry) => {
    const statements = exportsOf(program, checker, declarationsOf(entry)).flatMap(({ name, symbol }) =>
      statementsOf(symbol).map((statement) => ({ name, statement })),
    )
    for (const { statement } of statements) shown.add(statement)
    return { title: `${entry.specifier}, ${namesIn(statements)} names`, statements }
  })
  const others = referredFrom([...shown], checker)
  sections.push({ title: 'Types that these refer to, not exported', statements: others })
  return sections.map(({ title, statements }) => `# ${title}\n\n${textOf(statements)}\n`).join('\n')
}

interface Named {
  readonly name: string
  readonly statement: ts.Node
}

function namesIn(statements: readonly Named[]): number {
  return new Set(statements.map(({ name }) => name)).size
}

function declarationsOf({ file }: { readonly file: string }): string {
  return join(root, file.replace(/^src/, 'dist').replace(/\.ts$/, '.d.ts'))
}

function exportsOf(
  program: ts.Program,
  checker: ts.TypeChecker,
  file: string,
): readonly { readonly name: string; readonly symbol: ts.Symbol }[] {
  const source = program.getSourceFile(file)
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`${file} exports nothing`)
  return checker.getExportsOfModule(module).map((symbol) => ({ name: symbol.name, symbol: target(symbol, checker) }))
}

function target(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

// A constant's declaration is a part of its statement.
function statementsOf({ declarations = [] }: ts.Symbol): ts.Node[] {
  return declarations.map((declaration) =>
    ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration,
  )
}

/** Declarations of this library that others refer to, and so on. */
function referredFrom(statements: readonly ts.Node[], checker: ts.TypeChecker): Named[] {
  const seen = new Set(statements)
  const found: Named[] = []
  const visit = (node: ts.Node): void => {
    const symbol = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined
    const declared = symbol === undefined ? undefined : target(symbol, checker)
    for (const statement of declared === undefined ? [] : statementsOf(declared)) {
      const isOwn = statement.getSourceFile().fileName.startsWith(dist) && isTopLevel(statement)
      if (!isOwn || seen.has(statement)) continue
      seen.add(statement)
      found.push({ name: declared?.name ?? '', statement })
      visit(statement)
    }
    ts.forEachChild(node, visit)
  }
  for (const statement of statements) visit(statement)
  return found
}

function isTopLevel({ parent }: ts.Node): boolean {
  return ts.isSourceFile(parent)
}

const printer = ts.createPrinter({ removeComments: true, newLine: ts.NewLineKind.LineFeed })

function textOf(statements: readonly Named[]): string {
  const texts = statements.map(({ name, statement }) => {
    const text = printer.printNode(ts.EmitHint.Unspecified, statement, statement.getSourceFile())
    return { name, text: text.replace(/^export (declare )?/, '').replaceAll('    ', '  ') }
  })
  const sorted = texts.toSorted((left, right) => compare(left.name, right.name) || compare(left.text, right.text))
  return sorted.map(({ text }) => text).join('\n')
}

// By code units, so that every machine has the same order.
function compare(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}
