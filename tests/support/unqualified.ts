import { loadModule, parseSync } from 'libpg-query'

/** What a statement leaves to the search path: a function, an operator, a type, a relation; or a construct that hides an operator. */
export type UnqualifiedName =
  `${'function' | 'operator' | 'type' | 'relation' | 'relation in a constant' | 'construct'} ${string}`

type Content = Readonly<Record<string, unknown>>

/**
 * Everything in a message that PostgreSQL would resolve by the search path, each once. Only relations that the message
 * itself defines (WITH) are left out.
 *
 * @example await unqualifiedNames('select count(*) from a.b where c = 1') // ['function count', 'operator =']
 */
export async function unqualifiedNames(message: string): Promise<UnqualifiedName[]> {
  await loadModule()
  const nodes = nodesOf(parseSync(message))
  const defined = new Set(nodes.flatMap(([kind, { ctename }]) => (kind === 'CommonTableExpr' ? [ctename] : [])))
  const found = nodes.flatMap(([kind, content]) => checks[kind]?.(content) ?? [])
  return [...new Set(found)].filter((name) => !defined.has(name.replace(/^relation /, ''))).toSorted()
}

// These are no names of types: PostgreSQL's parser makes a sequence of them before it looks anything up.
const serials = new Set(['serial', 'bigserial', 'smallserial'])

const hidden: Readonly<Record<string, string>> = {
  AEXPR_DISTINCT: 'IS DISTINCT FROM',
  AEXPR_NOT_DISTINCT: 'IS NOT DISTINCT FROM',
  AEXPR_NULLIF: 'NULLIF',
  AEXPR_IN: 'IN',
  AEXPR_LIKE: 'LIKE',
  AEXPR_ILIKE: 'ILIKE',
  AEXPR_SIMILAR: 'SIMILAR TO',
  AEXPR_BETWEEN: 'BETWEEN',
  AEXPR_NOT_BETWEEN: 'NOT BETWEEN',
  AEXPR_BETWEEN_SYM: 'BETWEEN SYMMETRIC',
  AEXPR_NOT_BETWEEN_SYM: 'NOT BETWEEN SYMMETRIC',
}

const checks: Readonly<Record<string, (content: Content) => UnqualifiedName[]>> = {
  FuncCall: ({ funcname }) => alone('function', funcname),
  RangeTableSample: ({ method }) => alone('function', method),
  A_Expr: ({ kind, name }) => {
    const construct = hidden[String(kind)]
    return construct === undefined ? alone('operator', name) : [`construct ${construct}`]
  },
  SubLink: ({ testexpr, operName }) => {
    if (testexpr === undefined) return []
    return operName === undefined ? ['construct IN'] : alone('operator', operName)
  },
  SortBy: ({ useOp }) => (useOp === undefined ? [] : alone('operator', useOp)),
  CaseExpr: ({ arg }) => (arg === undefined ? [] : ['construct CASE x WHEN']),
  JoinExpr: ({ usingClause, isNatural }) =>
    usingClause === undefined && isNatural !== true ? [] : ['construct USING'],
  TypeName: typesOf,
  // A column's and a cast's type is not wrapped in a node of its own kind.
  ColumnDef: ({ typeName }) => typesOf(typeName as Content | undefined),
  TypeCast: ({ arg, typeName }) => [
    ...typesOf(typeName as Content | undefined),
    ...constantsOf(arg as Content, typeName as Content),
  ],
  RangeVar: ({ schemaname, relname }) => (schemaname === undefined ? [`relation ${String(relname)}`] : []),
}

function typesOf(typeName: Content | undefined): UnqualifiedName[] {
  return alone('type', typeName?.['names']).filter((name) => !serials.has(name.replace(/^type /, '')))
}

// 'documents'::regclass is looked up as well.
function constantsOf(arg: Content | undefined, typeName: Content): UnqualifiedName[] {
  const constant = (arg?.['A_Const'] as { readonly sval?: { readonly sval?: string } } | undefined)?.sval?.sval
  if (constant === undefined || namesIn(typeName['names']).at(-1) !== 'regclass' || constant.includes('.')) return []
  return [`relation in a constant ${constant}`]
}

function alone(kind: 'function' | 'operator' | 'type', parts: unknown): UnqualifiedName[] {
  const [name, ...others] = namesIn(parts)
  return name === undefined || others.length > 0 ? [] : [`${kind} ${name}`]
}

function namesIn(parts: unknown): string[] {
  const list = (parts ?? []) as readonly { readonly String?: { readonly sval?: string } }[]
  return list.map(({ String: text }) => text?.sval ?? '')
}

/** Every node of a tree with its kind, which is the key that its content stands under. */
function nodesOf(tree: unknown): (readonly [kind: string, content: Content])[] {
  if (typeof tree !== 'object' || tree === null) return []
  if (Array.isArray(tree)) return tree.flatMap(nodesOf)
  return Object.entries(tree).flatMap(([key, value]) => {
    const isNode = typeof value === 'object' && value !== null && !Array.isArray(value)
    // Nor is the table of a statement that writes.
    const kind = isNode && key === 'relation' && 'relname' in value ? 'RangeVar' : key
    return [...(isNode ? [[kind, value as Content] as const] : []), ...nodesOf(value)]
  })
}
