import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import ts from 'typescript'

import { apiReport, reportFile } from './support/api-report.ts'
import { entries } from './support/entries.ts'

const root = join(__dirname, '..')

// What an application writes that uses the package, and one that only uses Knex.
const ours = `
import type { Knex } from 'knex'
import { AddVectorColumn, CreateVectorIndex, EnablePgvector, migration, nearestRows, vectorColumn, vectorIndex } from 'knex-pgvector'
import { diagnose } from 'knex-pgvector/doctor'
import { embeddedPgvector } from 'knex-pgvector/embedded'
import { lint } from 'knex-pgvector/lint'
import { createMigrator } from 'knex-pgvector/migrator'

const embedding = vectorColumn('documents', 'embedding', { type: 'halfvec', dimensions: 3072 })
const index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })

export const { up, down, config } = migration([
  new EnablePgvector({ minVersion: '0.7.0' }),
  new AddVectorColumn(embedding),
  new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }, { maxMemory: '4GB' }),
])

export async function use(knex: Knex): Promise<number | undefined> {
  await createMigrator(embeddedPgvector()).up({ wait: '60s' })
  const findings = [...(await diagnose(knex)), ...(await lint(knex)).findings]
  const { rows } = await nearestRows<{ id: number }>(knex, index, [1, 2, 3], { limit: findings.length })
  return rows[0]?.distance
}`

const knexAlone = `
import type { Knex } from 'knex'

export const use = (knex: Knex): Knex.QueryBuilder => knex('documents').where({ id: 1 })`

// TypeScript 6 no longer wants to be told.
const strict = { skipLibCheck: false, esModuleInterop: false, ignoreDeprecations: '6.0' } as const

describe('the public API', () => {
  test('is the one in api-report.txt, which npm run api updates', () => {
    expect(apiReport()).toBe(readFileSync(reportFile, 'utf8'))
  })

  test('compiles in an application that checks every declaration, without esModuleInterop', () => {
    const { program, file } = compiled(ours, { ...strict, types: ['node'] })
    const all = ts.getPreEmitDiagnostics(program).filter((found) => isOurs(found, file))
    expect(all.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
  })

  test("does not load zod's types", () => {
    const { program } = compiled(ours)
    const files = program.getSourceFiles().map(({ fileName }) => fileName)
    expect(files.some((name) => name.includes('/dist/'))).toBe(true)
    expect(files.filter((name) => name.includes('/zod/'))).toEqual([])
  })

  test('costs the compiler little: types and instantiations in addition to those of Knex', () => {
    const [all, without] = [ours, knexAlone].map((text) => costOf(text))
    expect(added(all, without, 'instantiations')).toBeLessThan(1500)
    expect(added(all, without, 'types')).toBeLessThan(1000)
  })
})

type Cost = Readonly<Record<'instantiations' | 'types', number>>

function added(all: Cost | undefined, without: Cost | undefined, what: keyof Cost): number {
  return (all?.[what] ?? Infinity) - (without?.[what] ?? 0)
}

function costOf(text: string): Cost {
  const { program, file } = compiled(text)
  expect(program.getSemanticDiagnostics(program.getSourceFile(file))).toEqual([])
  return { instantiations: program.getInstantiationCount(), types: program.getTypeCount() }
}

function isOurs({ file }: ts.Diagnostic, program: string): boolean {
  return file === undefined || file.fileName === program || file.fileName.includes('/dist/')
}

function compiled(
  text: string,
  settings: ts.CompilerOptions = {},
): { readonly program: ts.Program; readonly file: string } {
  const file = join(root, 'application.ts')
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.Node20,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    paths: Object.fromEntries(
      entries.map((entry) => [entry.specifier, [`./${entry.file.replace(/^src\/(.*)\.ts$/, 'dist/$1.d.ts')}`]]),
    ),
    ...settings,
  }
  const disk = ts.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (name) => name === file || disk.fileExists(name),
    getSourceFile: (name, ...rest) =>
      name === file ? ts.createSourceFile(name, text, rest[0]) : disk.getSourceFile(name, ...rest),
  }
  return { program: ts.createProgram([file], options, host), file }
}
