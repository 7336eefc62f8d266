import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import ts from 'typescript'

const root = resolve(__dirname, '..')

/** An option, as its interface in `src` documents it. */
export interface DocumentedOption {
  readonly name: string
  readonly isRequired: boolean
  readonly default: string
  readonly text: string
}

/** The options of `src`: what the interfaces document, and what the schemas accept. */
export interface OptionSources {
  /** The options of each interface and type, by its name. */
  readonly documented: ReadonlyMap<string, readonly DocumentedOption[]>
  /** The names that each schema accepts, by where it is. */
  readonly accepted: ReadonlyMap<string, readonly string[]>
}

const MARKER = /<!-- options: (\w+)(?: except ([\w ]+))? -->\n([\s\S]*?)<!-- \/options -->/g

/** Reads every interface of options, and every schema, with TypeScript's own compiler. */
export function readOptionSources(): OptionSources {
  const { program, checker } = compile()
  const documented = new Map<string, readonly DocumentedOption[]>()
  const accepted = new Map<string, readonly string[]>()
  for (const file of program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(root, 'src')))) {
    for (const statement of file.statements) {
      if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
        const properties = checker.getPropertiesOfType(checker.getTypeAtLocation(statement.name))
        documented.set(
          statement.name.text,
          properties.map((property) => documentedOption(property, checker)),
        )
      }
      if (ts.isVariableStatement(statement)) {
        for (const { name } of statement.declarationList.declarations) {
          const names = acceptedNames(checker.getTypeAtLocation(name), checker)
          if (names !== null) accepted.set(`${file.fileName} ${name.getText()}`, names)
        }
      }
    }
  }
  return { documented, accepted }
}

/** A page with its tables of options written anew; what stands between the markers is replaced. */
export function withOptionTables(page: string, { documented }: OptionSources): string {
  return page.replaceAll(MARKER, (_, name: string, except = '') => {
    const left = new Set(except.split(' ').flatMap((other: string) => namesOf(other, documented)))
    const options = (documented.get(name) ?? []).filter((option) => !left.has(option.name))
    if (options.length === 0) throw new Error(`There are no options ${name}`)
    const heading = `<!-- options: ${name}${except === '' ? '' : ` except ${except}`} -->`
    return `${heading}\n\n${tableOf(options)}\n\n<!-- /options -->`
  })
}

/** The names of the interfaces that a page has tables of. */
export function tablesIn(page: string): string[] {
  return [...page.matchAll(MARKER)].map(([, name = '']) => name)
}

/** Whether a schema accepts exactly these options. */
export function isAccepted(names: readonly string[], { accepted }: OptionSources): boolean {
  const wanted = names.toSorted().join()
  return [...accepted.values()].some((each) => each.toSorted().join() === wanted)
}

function namesOf(type: string, documented: OptionSources['documented']): string[] {
  return (documented.get(type) ?? []).map(({ name }) => name)
}

function tableOf(options: readonly DocumentedOption[]): string {
  const rows = options.map(
    (option) => `| \`${option.name}\` | ${option.isRequired ? 'required' : option.default} | ${option.text} |`,
  )
  return ['| option | default | |', '| --- | --- | --- |', ...rows].join('\n')
}

function documentedOption(property: ts.Symbol, checker: ts.TypeChecker): DocumentedOption {
  const text = ts
    .displayPartsToString(property.getDocumentationComment(checker))
    .replaceAll(/\s+/g, ' ')
    // A link that is broken into two lines has the star of the second one in it.
    .replaceAll(/\{@link (?:\* )?(\w+)\s*\}/g, '`$1`')
    .replaceAll('|', '\\|')
    .trim()
  const { name } = property
  const isRequired = (property.flags & ts.SymbolFlags.Optional) === 0
  if (text === '') return { name, isRequired, default: "Knex's", text: "As Knex's `migrations." + name + '`.' }
  return { name, isRequired, ...withoutDefault(text) }
}

// A default ends with its sentence; the point in '0.8.0' or `a.b` ends none.
const DEFAULT = /(?:[;,] d|\. D)efault:? (.+?)(?:\.(?= |$))/

function withoutDefault(text: string): { readonly default: string; readonly text: string } {
  const found = DEFAULT.exec(text)
  const [whole = '', value = ''] = found ?? []
  const rest = found === null ? text : text.replace(whole, '.')
  const constant = /^`(MIN_PGVECTOR_VERSION|REQUIRED_DIMENSIONS)`$/.exec(value)?.[1]
  const shown = constant === undefined ? value : `\`${constants()[constant] ?? ''}\``
  return { default: /^(\d+|true|false)$/.test(shown) ? `\`${shown}\`` : shown, text: rest }
}

function constants(): Readonly<Record<string, string>> {
  const text = readFileSync(join(root, 'src/core/options.ts'), 'utf8')
  const found = [...text.matchAll(/^export const ([A-Z_]+) = (.+?)( as const)?$/gm)]
  return Object.fromEntries(found.map(([, name = '', value = '']) => [name, value]))
}

function acceptedNames(type: ts.Type, checker: ts.TypeChecker): string[] | null {
  const [signature] = type.getCallSignatures()
  if (signature === undefined) return kindNames(type, checker)
  const result = signature.getReturnType()
  const output = result.getProperty('_output')
  const options = output === undefined ? result : checker.getTypeOfSymbol(output)
  const isObject = (options.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) !== 0
  const names = isObject ? checker.getPropertiesOfType(options).map(({ name }) => name) : []
  return names.length > 0 ? names : null
}

/** The names of a table of option kinds; null where this is none. */
function kindNames(type: ts.Type, checker: ts.TypeChecker): string[] | null {
  const properties = checker.getPropertiesOfType(type)
  const areKinds = properties.every((each) => checker.getTypeOfSymbol(each).getProperty('isPlain') !== undefined)
  return areKinds && properties.length > 0 ? properties.map(({ name }) => name) : null
}

function compile(): { readonly program: ts.Program; readonly checker: ts.TypeChecker } {
  const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
    compilerOptions: object
  }
  const { options } = ts.convertCompilerOptionsFromJson(compilerOptions, root)
  const entries = Object.keys((JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest).exports)
  const files = entries
    .filter((entry) => entry !== './package.json')
    .map((entry) => join(root, entry === '.' ? 'src/index.ts' : `src/${entry.slice(2)}.ts`))
  const program = ts.createProgram(files, options)
  return { program, checker: program.getTypeChecker() }
}

interface Manifest {
  readonly exports: object
}
