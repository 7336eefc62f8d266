/** The SQL names of a table and of a column, as the statistics know them. */
interface Place {
  /** An estimate of the rows of the table. */
  readonly rows: string
  readonly schema: string
  readonly table: string
  /** SQL null for an expression, whose nulls are unknown. */
  readonly column: string
}

/**
 * Returns SQL for how many rows of a table have a value in a column, as of the last ANALYZE or VACUUM. An index
 * contains those rows.
 */
export function rowsWithValueSql({ rows, schema, table, column }: Place): string {
  return `floor(greatest(${rows}, 0) * (1 - coalesce((
    select s.null_frac from pg_catalog.pg_stats s
    where s.schemaname = ${schema} and s.tablename = ${table} and s.attname = ${column} and not s.inherited
  ), 0)))::bigint`
}
