import { compileFunction } from 'node:vm'

import { columnLabel } from '../columns/facts.ts'
import type { VectorColumn } from '../columns/column.ts'
import type { VectorDifference } from '../diff/difference.ts'
import { planIndexStorage, type IndexStorage, type StorageChoice } from '../indexes/storage.ts'
import type { VectorIndex } from '../indexes/vector-index.ts'
import { commentOn, leftOut, missingColumns } from './comments.ts'
import { quotedText } from './quoted-text.ts'

/** The parts of a migration composed of operations. */
export interface ComposedMigration {
  readonly imports: readonly string[]
  /** What the migration leaves for its author to do. */
  readonly comments: readonly string[]
  readonly constants: readonly string[]
  readonly operations: readonly string[]
}

/**
 * Writes the operations that bring a database to its declaration. A change that would lose data, an object that is not
 * declared, and work that has to wait for rows become comments, because only their owner can decide about them.
 */
export function composeFrom(differences: readonly VectorDifference[]): ComposedMigration {
  const names = new Map<string, string>()
  const constants: string[] = []
  const declare = (column: VectorColumn): string => {
    const written = columnText(missing.get(columnLabel(column)) ?? column)
    const known = names.get(written)
    if (known !== undefined) return known
    const name = variableName(column, new Set(names.values()))
    names.set(written, name)
    constants.push(`const ${name} = ${written}`)
    return name
  }
  const missing = missingColumns(differences)
  const left = new Map(differences.flatMap((difference) => leftOut(difference, differences, missing)))
  const operations = differences.flatMap((difference) => {
    if (difference.kind === 'extension missing') return 'new EnablePgvector()'
    if (difference.kind === 'column missing') return `new AddVectorColumn(${declare(difference.column)})`
    if ((difference.kind !== 'index missing' && difference.kind !== 'index invalid') || left.has(difference)) return []
    const { index } = difference
    const options = index.method === 'ivfflat' ? ", { whenEmpty: 'postpone' }" : ''
    return `new CreateVectorIndex(${declare(index.column)}, ${indexText(index)}${options})`
  })
  const used = operations.join(' ')
  return {
    imports: imports.filter(
      (name) => name === 'migration' || used.includes(name) || (name === 'vectorColumn' && constants.length > 0),
    ),
    comments: differences.flatMap((difference) => left.get(difference) ?? commentOn(difference)),
    constants,
    operations,
  }
}

function columnText({ schema, table, name, type, dimensions, notNull }: VectorColumn): string {
  const options = objectText({
    schema,
    type: type === 'vector' ? null : type,
    dimensions,
    notNull: notNull ? true : null,
  })
  return `vectorColumn(${[quotedText(table), quotedText(name), ...(options === '{}' ? [] : [options])].join(', ')})`
}

function indexText({ column, method, metric, name, parameters, storage, where }: VectorIndex): string {
  const isUsual = planIndexStorage(column, method, metric).expression === storage.expression
  return objectText({
    method,
    metric,
    name,
    ...parameters,
    storage: isUsual ? null : choices[storage.expression],
    where,
  })
}

const choices = {
  column: 'column',
  cast: 'halfvec',
  'binary quantization': 'binary',
} as const satisfies Record<IndexStorage['expression'], StorageChoice>

function objectText(values: Readonly<Record<string, string | number | boolean | null | undefined>>): string {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined)
  const list = given.map(([name, value]) => `${name}: ${typeof value === 'string' ? quotedText(value) : String(value)}`)
  return list.length === 0 ? '{}' : `{ ${list.join(', ')} }`
}

/** The names that such a module declares or imports, in addition to reserved words. */
const imports = ['AddVectorColumn', 'CreateVectorIndex', 'EnablePgvector', 'migration', 'vectorColumn'] as const
const given = new Set<string>([
  ...imports,
  'up',
  'down',
  'config',
  'exports',
  'module',
  'require',
  'globalThis',
  'Object',
  // A TypeScript script cannot declare it.
  'undefined',
])

// The JavaScript engine itself decides which words a module cannot declare.
function isReserved(name: string): boolean {
  if (given.has(name)) return true
  try {
    compileFunction(`'use strict'; async () => { const ${name} = 1 }`)
    return false
  } catch {
    return true
  }
}

function variableName({ table, name }: VectorColumn, taken: ReadonlySet<string>): string {
  const words = `${table} ${name}`.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).filter((word) => word !== '')
  const joined = words
    .map((word, index) =>
      index === 0 ? word.toLowerCase() : word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase(),
    )
    .join('')
  const base = /^[a-z]/i.test(joined) ? joined : `column${joined}`
  let unique = base
  for (let count = 2; taken.has(unique) || isReserved(unique); count++) unique = `${base}${count}`
  return unique
}
