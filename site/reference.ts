import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import ts from 'typescript'

const root = resolve(__dirname, '..')

/** A page of the API reference: one subpath of the package. */
export interface ReferencePage {
  /** What an application imports, such as `knex-pgvector/lint`. */
  readonly specifier: string
  /** The name of its file, without extension. */
  readonly file: string
  readonly markdown: string
}

/** Writes the API reference from the docstrings of what each subpath exports. */
export function referencePages(): ReferencePage[] {
  const { exports: subpaths } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: object }
  const entries = Object.keys(subpaths)
    .filter((subpath) => subpath !== './package.json')
    .map((subpath) => ({
      specifier: subpath.replace('.', 'knex-pgvector'),
      file: subpath === '.' ? 'index' : subpath.slice(2),
    }))
  const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
    compilerOptions: object
  }
  const { options } = ts.convertCompilerOptionsFromJson(compilerOptions, root)
  const sourceOf = (file: string): string => join(root, 'src', `${file}.ts`)
  const program = ts.createProgram(
    entries.map(({ file }) => sourceOf(file)),
    options,
  )
  const checker = program.getTypeChecker()
  return entries.map(({ specifier, file }) => {
    const source = program.getSourceFile(sourceOf(file))
    const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
    if (module === undefined) throw new Error(`${specifier} exports nothing`)
    const symbols = checker.getExportsOfModule(module).map((exported) => ({
      name: exported.name,
      symbol: exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported,
    }))
    const groups = [
      ['Functions', ts.SymbolFlags.Function],
      ['Classes', ts.SymbolFlags.Class],
      ['Constants', ts.SymbolFlags.Variable],
      ['Types', ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias],
    ] as const
    const sections = groups.flatMap(([title, flags]) => {
      const members = symbols.filter(({ symbol }) => symbol.flags & flags).toSorted(byName)
      return members.length === 0 ? [] : [`## ${title}`, ...members.map((member) => sectionOf(member, checker))]
    })
    return { specifier, file, markdown: [`# ${specifier}`, ...sections, ''].join('\n\n') }
  })
}

interface Exported {
  readonly name: string
  readonly symbol: ts.Symbol
}

function byName(one: Exported, other: Exported): number {
  return one.name < other.name ? -1 : 1
}

function sectionOf({ name, symbol }: Exported, checker: ts.TypeChecker): string {
  const declarations = (symbol.declarations ?? []).filter((each, _, all) => all.length === 1 || !hasBody(each))
  const code = declarations.map(declarationText).join('\n')
  const text = plain(ts.displayPartsToString(symbol.getDocumentationComment(checker)))
  const tags = symbol.getJsDocTags(checker)
  const tagOf = (wanted: string): string[] =>
    tags.filter((tag) => tag.name === wanted).map(({ text: parts }) => ts.displayPartsToString(parts).trim())
  return [
    `### ${name}`,
    text,
    fenced(code),
    ...tagOf('example').map((example) => (example.startsWith('```') ? example : fenced(example))),
    ...tagOf('throws').map((thrown) => `**Throws** ${linked(plain(thrown.replace(/^\{\w+\}\s*/, '')))}`),
  ].join('\n\n')
}

function hasBody(declaration: ts.Declaration): boolean {
  return ts.isFunctionDeclaration(declaration) && declaration.body !== undefined
}

/** A declaration without what it does: a function up to its body, a class with its public members. */
function declarationText(declaration: ts.Declaration): string {
  if (ts.isFunctionDeclaration(declaration)) return upToBody(declaration)
  if (ts.isClassDeclaration(declaration)) {
    const members = declaration.members
      .filter((member) => !isPrivate(member))
      .map((member) => (isFunctionLike(member) ? upToBody(member) : member.getText()))
    const head = declaration.getText().slice(0, declaration.members.pos - declaration.getStart())
    return [head.replace(/^export /, ''), ...members.map((member) => `  ${member}`), '}'].join('\n')
  }
  if (ts.isVariableDeclaration(declaration)) return `const ${declaration.getText()}`
  return declaration.getText().replace(/^export /, '')
}

function isFunctionLike(
  member: ts.ClassElement,
): member is ts.MethodDeclaration | ts.ConstructorDeclaration | ts.GetAccessorDeclaration {
  return ts.isMethodDeclaration(member) || ts.isConstructorDeclaration(member) || ts.isGetAccessorDeclaration(member)
}

function isPrivate(member: ts.ClassElement): boolean {
  return (
    (member.name !== undefined && ts.isPrivateIdentifier(member.name)) ||
    (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0 ||
    // A computed name, such as that of a symbol, is for this library alone.
    (member.name !== undefined && ts.isComputedPropertyName(member.name))
  )
}

function upToBody(declaration: ts.FunctionLikeDeclaration): string {
  const { body } = declaration
  const text = declaration.getText()
  const head = body === undefined ? text : text.slice(0, body.getStart() - declaration.getStart())
  return head
    .replace(/^export /, '')
    .replace(/^async /, '')
    .trimEnd()
}

function fenced(code: string): string {
  return `\`\`\`ts\n${code}\n\`\`\``
}

function plain(text: string): string {
  return text.replaceAll(/\{@link (\w+)\s*\}/g, '`$1`')
}

/** The codes of errors, as links to what explains them. */
function linked(text: string): string {
  return text.replaceAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g, (code) => `[\`${code}\`](../errors.md#${code.toLowerCase()})`)
}
