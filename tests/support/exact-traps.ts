import type { Knex } from 'knex'

/** What PostgreSQL resolved in a statement: a function, an operator or an aggregate with the types it was given, or a type. */
export interface ResolvedName {
  readonly kind: 'function' | 'operator' | 'aggregate' | 'type'
  readonly oid: number
  readonly arguments: readonly number[]
  readonly result: number
}

interface TreeNode {
  readonly kind: string
  readonly fields: ReadonlyMap<string, readonly Value[]>
}

type Value = TreeNode | readonly Value[] | string

/** Everything that was resolved in a statement, from the tree that `debug_print_parse` prints. */
export function resolvedNames(tree: string): ResolvedName[] {
  const tokens = Array.from(tree.matchAll(/\{[A-Z0-9_]+|[{}()]|(?:\\.|[^\s{}()\\])+/gs), ([token]) => token)
  let next = 0
  const values = (end: string): Value[] => {
    const found: Value[] = []
    for (let token = tokens[next]; token !== undefined && token !== end; token = tokens[next]) {
      next++
      if (token === '(') {
        found.push(values(')'))
        next++
      } else if (token.startsWith('{')) {
        found.push(nodeOf(token.slice(1), values('}')))
        next++
      } else found.push(token)
    }
    return found
  }
  return nodesIn(values('')).flatMap(namesOf)
}

function nodeOf(kind: string, values: readonly Value[]): TreeNode {
  const fields = new Map<string, Value[]>()
  let current: Value[] = []
  for (const value of values) {
    if (typeof value !== 'string' || !value.startsWith(':')) current.push(value)
    else fields.set(value.slice(1), (current = []))
  }
  return { kind, fields }
}

const isNode = (value: Value | undefined): value is TreeNode =>
  typeof value === 'object' && !Array.isArray(value) && 'kind' in value

function nodesIn(values: readonly Value[]): TreeNode[] {
  return values.flatMap((value) => {
    if (typeof value === 'string') return []
    return isNode(value) ? [value, ...[...value.fields.values()].flatMap(nodesIn)] : nodesIn(value)
  })
}

function namesOf(node: TreeNode): ResolvedName[] {
  const args = (node.fields.get('args') ?? []).flatMap((value) => (Array.isArray(value) ? (value as Value[]) : []))
  const result = typeOf(node)
  switch (node.kind) {
    case 'FUNCEXPR':
      return both('function', numberIn(node, 'funcid'), args, result)
    case 'OPEXPR':
    case 'DISTINCTEXPR':
    case 'NULLIFEXPR':
      return both('operator', numberIn(node, 'opno'), args, result)
    case 'AGGREF': {
      const inner = args.flatMap((value) => (isNode(value) ? (value.fields.get('expr') ?? []) : []))
      return both('aggregate', numberIn(node, 'aggfnoid'), inner, result)
    }
    case 'RELABELTYPE':
    case 'COERCEVIAIO':
    case 'ARRAYCOERCEEXPR':
    case 'CONST':
      return [{ kind: 'type', oid: result, arguments: [], result }]
    default:
      return []
  }
}

/** With the types as the function takes them, and as they were before they were converted for it. */
function both(kind: ResolvedName['kind'], oid: number, args: readonly Value[], result: number): ResolvedName[] {
  return [typeOf, typeBefore].map((each) => ({
    kind,
    oid,
    arguments: args.map((arg) => (isNode(arg) ? each(arg) : 0)),
    result,
  }))
}

function numberIn({ fields }: TreeNode, name: string): number {
  return Number(fields.get(name)?.[0] ?? 0)
}

const BOOLEAN = 16
const UNKNOWN = 705
const TEXT = 25

function typeOf(node: TreeNode): number {
  if (node.kind === 'SUBLINK') return typeOfSubquery(node)
  const [, [value = ''] = []] =
    [...node.fields].find(
      ([name, [type]]) =>
        /(?<!test)(type|typeid|typeId|restype)$/.test(name) && typeof type === 'string' && /^[1-9]\d*$/.test(type),
    ) ?? []
  const type = value === '' ? BOOLEAN : Number(value)
  // Whoever takes a text takes a constant.
  return type === UNKNOWN ? TEXT : type
}

function typeBefore(node: TreeNode): number {
  const isConverted = node.kind === 'RELABELTYPE' || node.kind === 'COERCEVIAIO'
  const [inner] = isConverted ? (node.fields.get('arg') ?? []) : []
  return isNode(inner) ? typeBefore(inner) : typeOf(node)
}

function typeOfSubquery(node: TreeNode): number {
  const EXPRESSION = 4
  if (numberIn(node, 'subLinkType') !== EXPRESSION) return BOOLEAN
  const [query] = node.fields.get('subselect') ?? []
  const [targets] = isNode(query) ? (query.fields.get('targetList') ?? []) : []
  const [first] = Array.isArray(targets) ? (targets as Value[]) : []
  const [expression] = isNode(first) ? (first.fields.get('expr') ?? []) : []
  return isNode(expression) ? typeOf(expression) : BOOLEAN
}

/** Runs something, and returns everything that PostgreSQL resolved meanwhile on the connections of a Knex. */
export async function resolvedBy(
  connect: (pool: Knex.PoolConfig) => Knex,
  run: (knex: Knex) => Promise<unknown>,
): Promise<ResolvedName[]> {
  const found = new Map<string, ResolvedName>()
  const knex = connect({
    afterCreate: (connection: NoticingConnection, done: (error: unknown, connection: unknown) => void) => {
      connection.on('notice', ({ message, detail }) => {
        if (message !== 'parse tree:') return
        for (const name of resolvedNames(detail ?? '')) found.set(JSON.stringify(name), name)
      })
      connection.query(
        'set debug_pretty_print = off; set debug_print_parse = on; set client_min_messages = log',
        (error: unknown) => done(error, connection),
      )
    },
  })
  await run(knex)
  await knex.destroy()
  return [...found.values()]
}

interface NoticingConnection {
  on(event: 'notice', listener: (notice: { readonly message?: string; readonly detail?: string }) => void): void
  query(sql: string, done: (error: unknown) => void): void
}

/**
 * Adds to the schema `hostile` a trap for each of these names of PostgreSQL's own, with exactly the types that it was
 * given; returns how many there are.
 */
export async function setExactTraps(knex: Knex, names: readonly ResolvedName[]): Promise<number> {
  await knex.raw('create table hostile.exact_traps (number integer)')
  await knex.raw(
    `do $do$
      declare
        name record;
        number integer := 0;
        body text := 'language plpgsql as $$ begin perform hostile.spring(); end $$';
      begin
        for name in
          select wanted ->> 'kind' as kind, f.proname, f.proretset, o.oprname, t.typname,
            (wanted ->> 'result')::oid::regtype as result, (
              select array_agg(value::oid::regtype::text) from json_array_elements_text(wanted -> 'arguments')
            ) as types
          from json_array_elements('${JSON.stringify(names)}') as wanted
          left join pg_proc f on f.oid = (wanted ->> 'oid')::oid and wanted ->> 'kind' in ('function', 'aggregate')
            and f.pronamespace = 'pg_catalog'::regnamespace and f.proname <> 'version'
          left join pg_operator o on o.oid = (wanted ->> 'oid')::oid and wanted ->> 'kind' = 'operator'
            and o.oprnamespace = 'pg_catalog'::regnamespace
          left join pg_type t on t.oid = (wanted ->> 'oid')::oid and wanted ->> 'kind' = 'type'
            and t.typnamespace = 'pg_catalog'::regnamespace
        loop
          number := number + 1;
          begin
            if name.typname is not null then
              execute format('create domain hostile.%I as pg_catalog.%I check (hostile.spring())', name.typname, name.typname);
            elsif name.oprname is not null and cardinality(name.types) = 2 then
              execute format('create function hostile.exact_%s(%s) returns %s %s', number,
                array_to_string(name.types, ', '), name.result, body);
              execute format('create operator hostile.%s (leftarg = %s, rightarg = %s, function = hostile.exact_%s)',
                name.oprname, name.types[1], name.types[2], number);
            elsif name.kind = 'function' and name.proname is not null then
              execute format('create function hostile.%I(%s) returns %s %s %s', name.proname,
                array_to_string(name.types, ', '), case when name.proretset then 'setof' end, name.result, body);
            elsif name.kind = 'aggregate' and name.proname is not null then
              execute format('create function hostile.exact_%s(%s) returns bigint %s', number,
                array_to_string('bigint' || name.types, ', '), body);
              execute format($f$create aggregate hostile.%I(%s) (sfunc = hostile.exact_%s, stype = bigint, initcond = '0')$f$,
                name.proname, coalesce(array_to_string(name.types, ', '), '*'), number);
            else
              continue;
            end if;
            insert into hostile.exact_traps values (number);
          exception
            -- it is there already, or takes a type that a function in plpgsql cannot take
            when others then
          end;
        end loop;
      end $do$`.replaceAll('?', '\\?'),
  )
  const { rows } = await knex.raw<{ rows: [{ count: string }] }>('select count(*) as count from hostile.exact_traps')
  return Number(rows[0].count)
}
