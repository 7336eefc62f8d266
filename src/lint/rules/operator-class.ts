import {
  metrics,
  operatorClass as classFor,
  operatorClasses,
  type IndexMethod,
  type Metric,
} from '../../pgvector/index-methods.ts'
import type { VectorType } from '../../pgvector/vector-types.ts'
import { isVectorType } from '../ast.ts'
import { operatorsIn } from '../operators-in.ts'
import { shownIndex, type Problem, type Rule, type Step } from '../rule.ts'
import type { ColumnType, MadeIndex } from '../statement.ts'

/** An index serves only the operator of its class. A query with another operator silently does not use it. */
export const operatorClass: Rule = (step) => {
  const { index } = step.statement
  if (index === null) return []
  const type = index.cast ?? (index.isPlain ? step.tables.typeOf(index.table, index.column) : null)
  if (index.operatorClass === null) return [missing(step, index, type)]
  const found = describe(index.operatorClass, index.method)
  // A class that pgvector does not have belongs to another extension.
  if (found === null) return []
  const problem = unfit(step, index, type, found) ?? undeclared(step, index) ?? unused(step, index, found)
  return problem === null ? [] : [problem]
}

interface Described {
  readonly type: VectorType
  readonly metric: Metric
  /** Whether the index method has it. */
  readonly exists: boolean
}

function describe(name: string, method: IndexMethod): Described | null {
  for (const type of Object.keys(operatorClasses).filter(isVectorType)) {
    for (const metric of Object.keys(metrics) as readonly Metric[]) {
      if (classFor(type, 'hnsw', metric)?.name !== name) continue
      return { type, metric, exists: classFor(type, method, metric) !== null }
    }
  }
  return null
}

function missing({ statement }: Step, index: MadeIndex, type: ColumnType | null): Problem {
  const names = namesOf(type?.type ?? 'vector', index.method)
  const consequence =
    index.method === 'hnsw'
      ? 'hnsw has no default'
      : `the default is ${names[0]}, and no query by another distance uses it`
  return {
    message: `${shownIndex(statement)} names no operator class: ${consequence}`,
    next: `Name the one of your queries: ${names.join(', ')}.`,
  }
}

function namesOf(type: VectorType, method: IndexMethod): string[] {
  return (Object.keys(metrics) as readonly Metric[]).flatMap((metric) => classFor(type, method, metric)?.name ?? [])
}

function unfit({ statement }: Step, index: MadeIndex, type: ColumnType | null, found: Described): Problem | null {
  const isOther = type !== null && type.type !== found.type
  if (!isOther && found.exists) return null
  const reason = isOther
    ? `is for ${found.type}, and what it indexes is ${type.type}`
    : `does not exist for ${index.method}`
  const names = namesOf(type?.type ?? found.type, index.method)
  const choice =
    names.length === 0
      ? `${index.method} has none for ${type?.type ?? found.type}: use hnsw.`
      : `Use one of ${names.join(', ')}.`
  return { message: `${shownIndex(statement)}: the operator class ${index.operatorClass} ${reason}`, next: choice }
}

function undeclared({ statement, declared }: Step, index: MadeIndex): Problem | null {
  const { schema, name: table } = index.table
  const same = declared.filter(
    ({ column, method }) =>
      column.table === table &&
      column.name === index.column &&
      method === index.method &&
      (column.schema === null || schema === null || column.schema === schema),
  )
  const byName = same.filter(({ name }) => name === index.name)
  const wanted = (byName.length > 0 ? byName : same).map(({ storage }) => storage.operatorClass.name)
  if (wanted.length === 0 || wanted.includes(index.operatorClass ?? '')) return null
  return {
    message: `${shownIndex(statement)} has the operator class ${index.operatorClass}, and ${wanted.join(' or ')} is declared`,
    next: `Use ${wanted.join(' or ')}, or declare the other metric.`,
  }
}

/** Reports that none of the functions and views that search this column uses the operator of the index. */
function unused({ statement, queries }: Step, index: MadeIndex, { type, metric }: Described): Problem | null {
  const { operator } = metrics[metric]
  const used = [...new Set(queries.flatMap((query) => operatorsIn(query, index.table.name, index.column ?? '')))]
  if (used.length === 0 || used.includes(operator)) return null
  const fitting = (Object.keys(metrics) as readonly Metric[])
    .filter((each) => used.includes(metrics[each].operator))
    .flatMap((each) => classFor(type, index.method, each)?.name ?? [])
  return {
    message: `${shownIndex(statement)} has the operator class ${index.operatorClass} for ${operator}, and the functions and views of these migrations search by ${used.join(' and ')}`,
    next:
      fitting.length === 0
        ? `Search by ${operator}, or index what is searched by.`
        : `Use ${fitting.join(' or ')}, or search by ${operator}.`,
  }
}
