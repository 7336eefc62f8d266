/** SQL names of a table as the statistics know it, and of a column of it. */
interface Place {
  /** An estimate of the rows of the table. */
  readonly rows: string
  readonly schema: string
  readonly table: string
  /** Null in SQL for an expression, whose nulls are not known. */
  readonly column: string
}

/** SQL: how many rows of a table have a value in a column, as the last ANALYZE or VACUUM saw it: an index holds those. */
export function rowsWithValueSql({ rows, schema, table, column }: Place): string {
  return `floor(greatest(${rows}, 0) * (1 - coalesce((
    select s.null_frac from pg_catalog.pg_stats s
    where s.schemaname = ${schema} and s.tablename = ${table} and s.attname = ${column} and not s.inherited
  ), 0)))::bigint`
}
