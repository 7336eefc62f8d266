import { identifier } from '../core/sql.ts'
import type { SetupFacts } from './setup-facts.ts'
import type { TableFacts } from './table-facts.ts'
import type { VectorTarget } from './target.ts'

/** Returns why a column cannot be kept in step; empty if it can. */
export function reasonsAgainst(
  { key }: Pick<TableFacts, 'key'>,
  { isDistributed }: Pick<SetupFacts, 'isDistributed'>,
  { read }: VectorTarget,
): readonly string[] {
  const generated = read.filter(({ isGenerated }) => isGenerated).map(({ name }) => name)
  return [
    ...(key.length === 0
      ? ['its table has neither a primary key nor a unique index of NOT NULL columns, so a mark could not name a row']
      : []),
    ...(isDistributed ? ['its table is distributed by Citus, where a trigger cannot write to a table of its own'] : []),
    ...generated.map(
      (name) =>
        `${name} is a generated column, which a BEFORE trigger does not see: name the columns it is computed from`,
    ),
  ]
}

/** Returns what can make a vector stale without a mark, although the column is kept in step. */
export function limitsOf(
  { hasRowSecurity, replicaRoles, otherTriggers }: SetupFacts,
  { read }: VectorTarget,
  label: string,
): readonly string[] {
  const names = read.map(({ name }) => name.toLowerCase())
  // Code in another language than PL/pgSQL is not readable here.
  const changing = otherTriggers.filter(
    ({ language, source }) => language !== 'plpgsql' || names.some((name) => source.toLowerCase().includes(name)),
  )
  return [
    ...(hasRowSecurity
      ? [
          `${label}: the table has row security. A worker whose role does not see every row is refused: ` +
            'run it as the owner of the table, or as a role with BYPASSRLS.',
        ]
      : []),
    ...replicaRoles.map(
      (place) =>
        `${label}: session_replication_role is replica for ${place}. Its changes fire no trigger and leave vectors ` +
        'stale: run npx knex-pgvector vectors verify after them.',
    ),
    ...changing.map(
      ({ name }) =>
        `${label}: the trigger ${identifier(name)} may change a column that the vector is made of. If the column is not ` +
        'in the SET list of the statement, no mark is made: set it in the statement, or run npx knex-pgvector vectors verify.',
    ),
  ]
}
