import { join } from 'node:path'

import ts from 'typescript'

import * as doctor from '../src/doctor.ts'
import * as embedded from '../src/embedded.ts'
import * as fleets from '../src/fleet.ts'
import * as library from '../src/index.ts'
import * as linter from '../src/lint.ts'
import * as runner from '../src/migrator.ts'
import { isPgvectorMigrationError } from '../src/core/errors.ts'
import { changeModel, embedding, tenantRule, vectorColumn, vectorIndex } from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { entries, type Entry } from './support/entries.ts'
import { unconnected } from './support/unconnected.ts'

/**
 * Every public function, with every option that its types declare: a new function or option that is not parsed fails
 * here without having been listed anywhere.
 */

const root = join(__dirname, '..')
const program = worker.createProgram(entries.map(({ file }) => join(root, file)))
const checker = program.getTypeChecker()

const knex = unconnected()
const column = vectorColumn('documents', 'embedding', { dimensions: 3 })
const larger = vectorColumn('documents', 'larger', { dimensions: 4 })
const articles = embedding('documents', { column, from: ['body'], model: 'small-3' })
const index = vectorIndex(column, { method: 'hnsw', metric: 'cosine' })

/** Parameters that are no options: values that are made elsewhere, by the names of their types. */
const values: Readonly<Record<string, unknown>> = {
  Database: knex,
  VectorColumn: column,
  VectorIndex: index,
  TenantRule: tenantRule(index, { column: 'tenant_id' }),
  Embedding: articles,
  ModelChange: changeModel(articles, { to: { column: larger, model: 'large-3' } }),
  'string | VectorOfModel': 'a text',
  QueryVector: [1, 2, 3],
  string: 'documents',
  Direction: 'up',
  PlanResult: { migrations: [], notes: [], origin: {} },
  'readonly LintedMigration[]': [],
  'readonly Operation[]': [],
  'readonly number[]': [],
  Uint8Array: new Uint8Array(),
  'readonly (keyof Row & string)[]': ['id'],
  Rows: [],
  '() => PromiseLike<Result>': () => Promise.resolve(),
}

/** Made and recognised by this library alone. */
const errors = new Set(['PgvectorMigrationError', 'isPgvectorMigrationError'])

/** The options without which a function is not called. */
const needed: Readonly<Record<string, object>> = {
  backfillVectors: { read: ['body'], embed: () => Promise.resolve([]) },
  estimateBackfill: { read: ['body'] },
  createFleet: { tenants: [], knex: () => ({ client: 'pg' }) },
  diffVectors: { columns: [], indexes: [] },
  embedding: { column, from: ['body'], model: 'small-3' },
  migrationSource: { directory: 'migrations' },
  changeModel: { to: { column: larger, model: 'large-3' } },
  measureRecall: { k: 5 },
  nearestRows: { limit: 1 },
  nearestText: { limit: 1, embed: () => Promise.resolve([1, 2, 3]) },
  nearestTo: { embed: () => Promise.resolve([1, 2, 3]) },
  newMigration: { directory: 'migrations' },
  tenantRule: { column: 'tenant_id' },
  vectorIndex: { method: 'hnsw', metric: 'cosine' },
  RunSql: { up: 'select 1', down: 'select 1' },
}

interface Case {
  readonly name: string
  /** The names of its options, as its type declares them. */
  readonly options: readonly string[]
  readonly call: (options: unknown) => unknown
}

const modules: Readonly<Record<string, object>> = {
  'knex-pgvector': library,
  'knex-pgvector/doctor': doctor,
  'knex-pgvector/embedded': embedded,
  'knex-pgvector/fleet': fleets,
  'knex-pgvector/lint': linter,
  'knex-pgvector/migrator': runner,
}

const cases = [...entries.flatMap(casesOf), ...methodsOfMigrator()]

describe('a public function', () => {
  test('is known by the types of its parameters', () => {
    expect(cases.length).toBeGreaterThan(35)
    expect(cases.filter(({ options }) => options.length === 0)).toEqual([])
    expect(cases.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['ensurePgvector', 'embeddedPgvector', 'RunSql', 'migrator.down', 'migrator.preview']),
    )
  })

  test.each(cases)('refuses an unknown option: $name', async ({ name, call }) => {
    expect(await problemsOf(() => call({ ...needed[name], onyl: '003' }))).toEqual([
      expect.stringMatching(/unrecognized key: "onyl"/i),
    ])
  })

  test.each(cases)('refuses each option of another type: $name', async ({ name, options, call }) => {
    const accepted: string[] = []
    for (const option of options) {
      const problems = await problemsOf(() => call({ ...needed[name], [option]: Symbol('another type') }))
      if (!problems.some((problem) => problem.startsWith(option))) accepted.push(option)
    }
    expect(accepted).toEqual([])
  })

  test.each(cases)('refuses what are no options at all: $name', async ({ call }) => {
    for (const nothing of ['003', 3, null, () => undefined]) {
      expect(await problemsOf(() => call(nothing))).not.toEqual([])
    }
  })
})

describe('options of a run', () => {
  const migrator = createMigrator(knex)

  test.each([
    ['a negative number of steps', () => migrator.down({ steps: -1 }), 'steps: must be at least 1'],
    ['no step', () => migrator.down({ steps: 0 }), 'steps: must be at least 1'],
    ['half a step', () => migrator.down({ steps: 0.5 }), 'steps: must be a whole number'],
    ['a misspelt name', () => migrator.up({ onyl: '003' } as object), 'Unrecognized key: "onyl". Did you mean "only"?'],
    [
      'a misspelt deadline',
      () => createMigrator(knex, { deadlines: { proble: '5s' } } as object),
      'Unrecognized key: "proble". Did you mean "probe"?',
    ],
    [
      'two names that are none',
      () => migrator.up({ onyl: '003', wiat: 1 } as object),
      'Unrecognized keys: "onyl", "wiat"',
    ],
    ['a negative time', () => migrator.up({ wait: -1 }), 'wait: must not be negative'],
    [
      'a time without a unit',
      () => migrator.up({ wait: '60' }),
      "wait: must be whole milliseconds or a time like '500ms', '60s', '5m' or '2h'",
    ],
    ['another direction', () => migrator.preview('sideways' as 'up'), 'direction: must be up or down'],
    [
      'one migration alone, and others',
      () => migrator.up({ only: '003', to: '004' }),
      'only: cannot be combined with to',
    ],
    [
      'one alone that is not the one to skip',
      () => migrator.plan({ only: '003', skip: ['002'] }),
      'only: cannot be combined with skip',
    ],
    [
      'the same for a preview',
      () => migrator.preview('up', { only: '003', to: '004' }),
      'only: cannot be combined with to',
    ],
    [
      'the same for a rehearsal',
      () => migrator.rehearse({ only: '003', to: '004' }),
      'only: cannot be combined with to',
    ],
    ['the same for lint', () => linter.lint(knex, { only: '003', to: '004' }), 'only: cannot be combined with to'],
    ['two ends', () => migrator.down({ steps: 2, to: '001' }), 'to: cannot be combined with steps'],
    ['a name in place of options', () => migrator.up('003' as never), 'The options must be an object, not a string'],
    ['a list in place of options', () => migrator.up(['003'] as never), 'The options must be an object, not an array'],
    ['null in place of options', () => migrator.up(null as never), 'The options must be an object, not null'],
    ['steps upwards', () => migrator.preview('up', { steps: 1 }), 'Unrecognized key: "steps"'],
    ['a deadline of nothing', () => createMigrator(knex, { deadlines: { ask: '0s' } }), 'ask: must be at least 1'],
  ])('are refused before anything is sent: %s', async (_, run, problem) => {
    expect(await problemsOf(run)).toEqual([problem])
  })

  test('accept an empty list with what excludes it', async () => {
    await expect(migrator.up({ only: '003', skip: [] })).rejects.toThrow(/connection/i)
  })

  test.each([60_000, '60s', '1m', '0.5h'])(
    'are a time as milliseconds or as a text with its unit: %s',
    async (wait) => {
      await expect(migrator.up({ wait })).rejects.toThrow(/connection/i)
      await expect(createMigrator(knex, { deadlines: { ask: wait } }).status()).rejects.toThrow(/connection/i)
    },
  )
})

describe('a column or an index that was not made by the functions for it', () => {
  const wrong = { table: 'documents' } as never

  test.each([
    ['addVectorColumn', () => library.addVectorColumn(knex, wrong)],
    ['dropVectorColumn', () => library.dropVectorColumn(knex, wrong)],
    ['vectorIndex', () => vectorIndex(wrong, { method: 'hnsw', metric: 'cosine' })],
    ['createVectorIndex', () => library.createVectorIndex(knex, wrong)],
    ['dropVectorIndex', () => library.dropVectorIndex(knex, wrong)],
    ['planVectorIndex', () => library.planVectorIndex(knex, wrong)],
    ['forecastBuild', () => library.forecastBuild(knex, wrong)],
    ['measureRecall', () => library.measureRecall(knex, wrong)],
    ['nearestRows', () => library.nearestRows(knex, wrong, [1, 2, 3], { limit: 1 })],
    ['nearest', () => library.nearest(wrong, [1, 2, 3])],
    ['cosineDistance', () => library.cosineDistance(wrong, [1, 2, 3])],
    ['toBinary', () => library.toBinary(wrong, [1, 2, 3])],
    ['fromBinary', () => library.fromBinary(wrong, new Uint8Array())],
    ['backfillVectors', () => library.backfillVectors(knex, wrong, needed['backfillVectors'] as never)],
    ['estimateBackfill', () => library.estimateBackfill(knex, wrong, { read: ['body'] })],
    ['diffVectors', () => library.diffVectors(knex, { columns: [wrong], indexes: [] })],
    ['AddVectorColumn', () => new library.AddVectorColumn(wrong)],
    ['CreateVectorIndex', () => new library.CreateVectorIndex(wrong)],
    ['setUpInStep', () => library.setUpInStep(knex, wrong)],
    ['removeInStep', () => library.removeInStep(knex, wrong)],
    ['keepInStep', () => library.keepInStep(knex, wrong)],
    ['backfill', () => library.backfill(knex, wrong)],
    ['inStep', () => library.inStep(knex, wrong)],
    ['verifyInStep', () => library.verifyInStep(knex, wrong)],
    ['retryInStep', () => library.retryInStep(knex, wrong)],
    ['KeepInStep', () => new library.KeepInStep(wrong)],
    ['lintMigrations', () => linter.lintMigrations([], { declared: [wrong] })],
    ['migration', () => library.migration([wrong])],
  ])('is refused: %s', async (_, call) => {
    expect(await problemsOf(call)).not.toEqual([])
  })
})

/** The problems of the INVALID_OPTIONS that a call ends with; none where it ends otherwise. */
async function problemsOf(call: () => unknown): Promise<readonly string[]> {
  try {
    await call()
  } catch (error) {
    if (isPgvectorMigrationError(error, 'INVALID_OPTIONS')) return error.details.problems
  }
  return []
}

function casesOf({ specifier, file: path }: Entry): Case[] {
  const module = modules[specifier] as Readonly<Record<string, unknown>>
  const file = program.getSourceFile(join(root, path))
  const symbol = file === undefined ? undefined : checker.getSymbolAtLocation(file)
  if (symbol === undefined) throw new Error(`${path} exports nothing`)
  return checker.getExportsOfModule(symbol).flatMap((exported) => {
    const { name } = exported
    const target = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    const value = module[name]
    if (typeof value !== 'function' || errors.has(name)) return []
    const type = checker.getTypeOfSymbol(target)
    const [constructed] = type.getConstructSignatures()
    if (constructed !== undefined) {
      const make = value as new (...args: readonly unknown[]) => unknown
      return caseOf(name, [constructed], (args) => new make(...args))
    }
    return caseOf(name, type.getCallSignatures(), (args) =>
      (value as (...args: readonly unknown[]) => unknown)(...args),
    )
  })
}

function methodsOfMigrator(): Case[] {
  const file = program.getSourceFile(join(root, 'src/migrator/create-migrator.ts'))
  const symbol = file === undefined ? undefined : checker.getSymbolAtLocation(file)
  const declared = symbol && checker.getExportsOfModule(symbol).find(({ name }) => name === 'Migrator')
  const type = declared && checker.getDeclaredTypeOfSymbol(declared)
  const migrator = createMigrator(knex) as unknown as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>
  return (type?.getProperties() ?? []).flatMap((property) =>
    caseOf(`migrator.${property.name}`, checker.getTypeOfSymbol(property).getCallSignatures(), (args) =>
      migrator[property.name]?.(...args),
    ),
  )
}

/** A case for each signature that takes options; they are its last parameter that is no value. */
function caseOf(
  name: string,
  signatures: readonly ts.Signature[],
  call: (args: readonly unknown[]) => unknown,
): Case[] {
  return signatures.flatMap((signature, overload) => {
    const parameters = signature.getParameters().flatMap((parameter) => typesOf(parameter))
    const place = parameters.findIndex(({ text }) => !Object.hasOwn(values, text))
    const options = parameters[place]
    if (options === undefined) return []
    const before = parameters.slice(0, place).map(({ text }) => values[text])
    const title = overload === 0 ? name : `${name} (${overload + 1})`
    return [{ name: title, options: optionsOf(name, options.type), call: (given: unknown) => call([...before, given]) }]
  })
}

// What is given after a rest parameter of tuples is its first tuple.
function typesOf(parameter: ts.Symbol): readonly { readonly type: ts.Type; readonly text: string }[] {
  const type = checker.getTypeOfSymbol(parameter)
  const [declared] = parameter.declarations ?? []
  const isRest = declared !== undefined && ts.isParameter(declared) && declared.dotDotDotToken !== undefined
  if (isRest) {
    const [tuple] = type.isUnion() ? type.types : [type]
    return checker.getTypeArguments(tuple as ts.TypeReference).map((each) => described(each))
  }
  return [described(type)]
}

function described(type: ts.Type): { readonly type: ts.Type; readonly text: string } {
  const plain = checker.getNonNullableType(type)
  return {
    type: plain,
    text: checker
      .typeToString(plain)
      .replace(/^(Vector(?:Column|Index))<.*>$/, '$1')
      .replace(/^ColumnFor<.*>$|^VectorColumn<.*> \| .*$|^.* \| VectorColumn<.*>$/, 'VectorColumn')
      .replace(/^Uint8Array<.*>$/, 'Uint8Array')
      .replace(/^(?:Async)?Iterable<Row\b.*$/, 'Rows')
      .replace(/^.*\bConfig<.*$/, 'Database'),
  }
}

// What preview takes downwards, it refuses upwards.
function optionsOf(name: string, type: ts.Type): string[] {
  const names = checker.getPropertiesOfType(type).map((property) => property.name)
  return name === 'migrator.preview' ? names.filter((each) => each !== 'steps' && each !== 'all') : names
}
