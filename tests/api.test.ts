import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import ts from 'typescript'

import { entries, type Entry } from './support/entries.ts'

const root = join(__dirname, '..')

const program = worker.createProgram(entries.map(({ file }) => join(root, file)))
const checker = program.getTypeChecker()

describe('the documentation of the public names', () => {
  const names = publicExports()
  const functions = names.filter(({ declared }) => ts.isFunctionDeclaration(declared))

  test('says in a sentence what each of them is', () => {
    const silent = names.filter(({ symbol }) => !/^[A-Z].*[.:?]/s.test(textOf(symbol)))
    expect(titlesOf(silent)).toEqual([])
  })

  test('shows an example of each function', () => {
    const unshown = functions.filter(({ symbol }) => !tagOf(symbol, 'example').includes(`${symbol.name}(`))
    expect(titlesOf(unshown)).toEqual([])
  })

  test('names the errors of each function that talks to a database', () => {
    const untold = functions.filter(
      ({ declared, symbol }) => isAsynchronous(declared) && !/\b[A-Z]+(_[A-Z]+)+\b/.test(tagOf(symbol, 'throws')),
    )
    expect(titlesOf(untold)).toEqual([])
  })

  test('has each of them in docs/api.md', () => {
    const page = readFileSync(join(root, 'docs/api.md'), 'utf8')
    expect(titlesOf(names.filter(({ title }) => !page.includes(`\`${title.split(' ')[1]}\``)))).toEqual([])
  })

  test('explains every option', () => {
    const options = names.filter(({ symbol }) => symbol.name.endsWith('Options')).flatMap(ownPropertiesOf)
    expect(options.length).toBeGreaterThan(0)
    const unexplained = options.filter(({ symbol }) => textOf(symbol) === '')
    expect(titlesOf(unexplained)).toEqual([])
  })
})

interface PublicExport {
  readonly title: string
  readonly symbol: ts.Symbol
  readonly declared: ts.Declaration
}

function publicExports(): PublicExport[] {
  return entries.flatMap(exportsOf)
}

function exportsOf(entry: Entry): PublicExport[] {
  const file = program.getSourceFile(join(root, entry.file))
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file)
  if (module === undefined) throw new Error(`${entry.file} exports nothing`)
  return checker.getExportsOfModule(module).map((exported) => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    const [declared] = symbol.declarations ?? []
    if (declared === undefined) throw new Error(`${exported.name} is declared nowhere`)
    return { title: `${kindOf(declared)} ${exported.name}`, symbol, declared }
  })
}

function kindOf(declared: ts.Declaration): string {
  if (ts.isFunctionDeclaration(declared)) return 'function'
  if (ts.isClassDeclaration(declared)) return 'class'
  if (ts.isInterfaceDeclaration(declared)) return 'interface'
  return ts.isTypeAliasDeclaration(declared) ? 'type' : 'const'
}

function isAsynchronous(declared: ts.Declaration): boolean {
  return ts.isFunctionDeclaration(declared) && declared.type?.getText().startsWith('Promise<') === true
}

// Options that are Knex's own are explained by Knex.
function ownPropertiesOf({ symbol, title }: PublicExport): PublicExport[] {
  return checker
    .getDeclaredTypeOfSymbol(symbol)
    .getProperties()
    .flatMap((property) => {
      const [declared] = property.declarations ?? []
      const isOurs = declared?.getSourceFile().fileName.includes('node_modules') === false
      return isOurs ? [{ title: `${title}: ${property.name}`, symbol: property, declared }] : []
    })
}

function titlesOf(names: readonly PublicExport[]): string[] {
  return names.map(({ title }) => title)
}

function textOf(symbol: ts.Symbol): string {
  return ts.displayPartsToString(symbol.getDocumentationComment(checker))
}

function tagOf(symbol: ts.Symbol, name: string): string {
  const tags = symbol.getJsDocTags(checker).filter((tag) => tag.name === name)
  return tags.map(({ text }) => ts.displayPartsToString(text)).join('\n')
}
