import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import ts from 'typescript'

const root = join(__dirname, '..')

const entries = { 'knex-pgvector': 'src/index.ts', 'knex-pgvector/embedded': 'src/embedded.ts' } as const

const { checker, program } = compile()

describe('the public names', () => {
  test('of knex-pgvector are these', () => {
    expect(linesOf('knex-pgvector')).toMatchInlineSnapshot(`
"class AddVectorColumn
class CreateVectorIndex
class DropVectorColumn
class DropVectorIndex
class EnablePgvector
class PgvectorMigrationError
class RunSql
class UpgradePgvector
const MIN_PGVECTOR_VERSION
const MIN_POSTGRES_MAJOR
const REQUIRED_DIMENSIONS
function addVectorColumn
function backfillVectors
function buildIndex
function createMigrator
function diagnose
function diffVectors
function distance
function dropIndex
function dropPgvector
function dropVectorColumn
function ensurePgvector
function estimateBackfill
function findDependents
function inspectPgvector
function isPgvectorMigrationError
function lint
function lintMigrations
function listVectorIndexes
function migrateToLatest
function migration
function migrationSource
function nearestRows
function newMigration
function planIndexBuild
function planScript
function readIndexFacts
function repairVectorIndexes
function runningIndexBuilds
function upgradePgvector
function vectorColumn
function vectorIndex
function verifyPgvector
function withSearchOptions
interface AdoptOptions
interface AdoptResult
interface Advisory
interface BackfillEstimate
interface BackfillOptions
interface BackfillProgress
interface BackfillResult
interface BackfillRows
interface BuildOptions
interface BuildProgress
interface BuildResult
interface BuildSettings
interface ColumnDistanceOptions
interface ColumnOptions
interface ColumnResult
interface Deadlines
interface DeclaredVectors
interface Dependent
interface Dependents
interface DimensionStorage
interface DistanceOptions
interface DownSelection
interface DropColumnOptions
interface DropIndexOptions
interface DropIndexResult
interface DropOptions
interface DropResult
interface EnsureOptions
interface EnsureResult
interface ErrorDetails
interface ExistingIndex
interface ExtensionEntry
interface FileMigration
interface FileMigrationSource
interface Finding
interface HistoryError
interface HistoryOptions
interface HistoryRun
interface IndexFacts
interface IndexOperationOptions
interface IndexParameters
interface IndexPlanOptions
interface IndexStorage
interface InspectOptions
interface KnownTable
interface LintFacts
interface LintFinding
interface LintResult
interface LintedMigration
interface ListedIndex
interface LogOptions
interface Logger
interface LossOptions
interface Losses
interface LostColumn
interface LostTable
interface Mention
interface MigrationEntry
interface MigrationModule
interface MigrationSourceOptions
interface MigrationStatus
interface Migrator
interface NearestRowsOptions
interface NewMigration
interface NewMigrationOptions
interface Operation
interface OperatorClass
interface PgvectorState
interface PlanOrigin
interface PlanResult
interface PlannedBuild
interface PlannedMigration
interface PlannedStatement
interface Rehearsal
interface RehearsedMigration
interface RehearsedStatement
interface RepairOptions
interface RepairResult
interface RunEntry
interface RunOptions
interface RunResult
interface RunSqlOptions
interface RunningIndexBuild
interface SearchOptions
interface TableFacts
interface TakenLock
interface UnlockOptions
interface UnlockResult
interface UnreadStatement
interface UpSelection
interface UpgradeOptions
interface UpgradeResult
interface VectorColumn
interface VectorColumnOptions
interface VectorIndex
interface VectorIndexOptions
type BackfillEvent
type Check
type DiagnoseOptions
type DistanceFor
type Embed
type ErrorCode
type HistoryEntry
type IndexArguments
type IndexBuildEvent
type IndexBuildPlan
type IndexMethod
type LintOptions
type LintRule
type MethodFor
type Metric
type MetricFor
type MigratorEvent
type MigratorOptions
type ProviderName
type QueryVector
type RehearseOptions
type StorageChoice
type VectorDifference
type VectorType"
`)
  })

  test('of knex-pgvector/embedded are these', () => {
    expect(linesOf('knex-pgvector/embedded')).toMatchInlineSnapshot(`
      "function embeddedPgvector
      interface EmbeddedKnexConfig
      interface EmbeddedOptions
      interface PGliteInstance"
    `)
  })
})

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

  test('has each of them in the guide', () => {
    const guide = readFileSync(join(root, 'docs/guide.md'), 'utf8')
    expect(titlesOf(names.filter(({ title }) => !guide.includes(`\`${title.split(' ')[1]}\``)))).toEqual([])
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
  return Object.keys(entries).flatMap((entry) => exportsOf(entry as keyof typeof entries))
}

function exportsOf(entry: keyof typeof entries): PublicExport[] {
  const file = program.getSourceFile(join(root, entries[entry]))
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file)
  if (module === undefined) throw new Error(`${entries[entry]} exports nothing`)
  return checker.getExportsOfModule(module).map((exported) => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    const [declared] = symbol.declarations ?? []
    if (declared === undefined) throw new Error(`${exported.name} is declared nowhere`)
    return { title: `${kindOf(declared)} ${exported.name}`, symbol, declared }
  })
}

function linesOf(entry: keyof typeof entries): string {
  const titles = exportsOf(entry).map(({ title }) => title)
  return titles.toSorted().join('\n')
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

function compile(): { program: ts.Program; checker: ts.TypeChecker } {
  const config = ts.readConfigFile(join(root, 'tsconfig.build.json'), (path) => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const made = ts.createProgram(
    Object.values(entries).map((path) => join(root, path)),
    options,
  )
  return { program: made, checker: made.getTypeChecker() }
}
