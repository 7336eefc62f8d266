import type { CreateFunctionStmt } from 'libpg-query'

import { all, as, columnType, nameFrom } from './ast.ts'
import type { Statement } from './statement.ts'

/** Reads the body of a function and its parameters. The text of a body in standard SQL is that of the statement. */
export function readRoutine(statement: CreateFunctionStmt, sql: string): Partial<Statement> {
  const body = quotedBody(statement) ?? sql
  const parameters = all(statement.parameters, 'FunctionParameter')
    .filter(({ mode }) => mode !== 'FUNC_PARAM_OUT' && mode !== 'FUNC_PARAM_TABLE')
    .map(({ name = '', argType }) => ({ name, type: columnType(argType) }))
  return { query: body, routine: { name: nameFrom(statement.funcname), parameters, body } }
}

function quotedBody({ options }: CreateFunctionStmt): string | undefined {
  const body = all(options, 'DefElem').find(({ defname }) => defname === 'as')?.arg
  return all(as(body, 'List')?.items, 'String')[0]?.sval
}
