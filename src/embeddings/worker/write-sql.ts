import { identifier } from '../../core/sql.ts'
import { typeSql } from '../../columns/column.ts'
import { isSameKey, keyColumns, keyNames, type KeyParameters } from '../key-sql.ts'
import type { SideTables } from './read-sql.ts'
import { sourceHashSql } from '../source-hash.ts'
import type { VectorTarget } from '../target.ts'

/**
 * Returns the statement that writes vectors, each only where it belongs to what its row says. After the keys, its
 * parameters are the hashes, the number of the newest mark that was seen of each row (0 for none), the vectors, and the
 * numbers of all marks that were seen.
 *
 * It returns a result for each row, and how long it took: statement_timestamp() is when its execution began.
 *
 * It locks the row first and waits for no lock, so it cannot be part of a deadlock. Then it deletes exactly the marks
 * that were seen. A row whose newest seen mark another worker has deleted got its vector from that worker.
 *
 * If the row says something else now and has a newer mark, the vector is still written: it is newer than the one in the
 * row, and the mark remains. If there is no newer mark, the application has brought a vector with the change, or the
 * trigger did not fire: nothing is written, and the marks remain.
 */
export function writeSql(target: VectorTarget, side: SideTables | null, { arrays }: KeyParameters): string {
  const { from, alias, key, column, extensionSchema } = target
  const next = arrays.length
  const columns = keyColumns(key, alias)
  const vector = identifier(column.name)
  const isWanted = side === null ? 'judged.is_same' : '(judged.is_same or judged.is_marked)'
  const isMarked =
    side === null
      ? 'false'
      : `exists (select from ${side.marks} as m where ${isSameKey(key, keyNames(key, 'm'), keyNames(key, 'given'))}
          and m.seq operator(pg_catalog.>) given.newest)`
  const isOurs =
    side === null
      ? 'judged.is_missing'
      : `case when judged.newest operator(pg_catalog.=) 0 then judged.is_missing
          else exists (select from gone where gone.seq operator(pg_catalog.=) judged.newest) end`
  return `with given as (
      select * from rows from (${arrays.join(', ')}, pg_catalog.unnest($${next + 1}::pg_catalog.text[]),
        pg_catalog.unnest($${next + 2}::pg_catalog.int8[]),
        pg_catalog.unnest($${next + 3}::${typeSql(column.type, column.dimensions, extensionSchema)}[]))
        with ordinality as given (${keyNames(key).join(', ')}, hash, newest, value, place)
    ),
    locked as (
      select given.place, pg_catalog.encode(${sourceHashSql(target)}, 'hex') as hash, ${alias}.${vector} is null as is_missing
      from ${from} as ${alias} join given on ${isSameKey(key, columns, keyNames(key, 'given'))}
      for no key update of ${alias} skip locked
    ),
    judged as (
      select given.*, locked.is_missing, locked.hash operator(pg_catalog.=) given.hash as is_same, ${isMarked} as is_marked
      from locked join given on given.place operator(pg_catalog.=) locked.place
    ),
    ${
      side === null
        ? ''
        : `gone as (
      delete from ${side.marks} as m using judged
      where ${isSameKey(key, keyNames(key, 'm'), keyNames(key, 'judged'))} and ${isWanted}
        and m.seq operator(pg_catalog.=) any ($${next + 4}::pg_catalog.int8[])
      returning m.seq
    ),`
    }
    written as (
      update ${from} as ${alias} set ${vector} = judged.value${side === null ? '' : `, ${identifier(side.hash)} = pg_catalog.decode(judged.hash, 'hex')`}
      from judged where ${isSameKey(key, columns, keyNames(key, 'judged'))} and ${isWanted} and ${isOurs}
      returning judged.place
    )
    select pg_catalog.json_build_object('milliseconds', ${ELAPSED}, 'results', coalesce(pg_catalog.json_agg(case
        when written.place is not null then 'written'
        when judged.place is not null and ${isWanted} then 'done'
        when judged.place is not null then case when judged.is_missing then 'changed' else ${side === null ? `'done'` : `'changed'`} end
        when exists (select from ${from} as ${alias} where ${isSameKey(key, columns, keyNames(key, 'given'))}) then 'locked'
        else 'gone' end order by given.place), '[]')) as state
    from given
    left join judged on judged.place operator(pg_catalog.=) given.place
    left join written on written.place operator(pg_catalog.=) given.place`
}

const ELAPSED = `pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() operator(pg_catalog.-) pg_catalog.statement_timestamp())
  operator(pg_catalog.*) 1000::pg_catalog.float8`
