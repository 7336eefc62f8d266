import { refuseToEndTransaction } from '../src/sql-text/transaction-guard.ts'

describe('a statement of a rehearsal', () => {
  test.each([
    'COMMIT',
    'begin; create table a (); end;',
    'select 1; -- done\n commit and chain',
    'rollback',
    '/* so */ ABORT',
    "prepare transaction 'x'",
    `insert into a values (E'\\'; '); commit`,
    `do $x$ begin end $x$; commit`,
  ])('is refused where it ends the transaction: %s', (sql) => {
    expect(() => refuseToEndTransaction(sql, '001')).toThrow('it ends its transaction itself')
  })

  test.each([
    'rollback to savepoint a',
    'ROLLBACK WORK TO a',
    "comment on table a is 'x; commit'",
    'create table "a; commit" ()',
    'do $$ begin perform 1; end; $$',
    'create function f() returns int language sql begin atomic select 1; end',
    'update a set b = case when c then 1 end',
    '-- commit;\nselect 1',
    'insert into commits values (1); select 1',
  ])('passes where it does not: %s', (sql) => {
    expect(() => refuseToEndTransaction(sql, '001')).not.toThrow()
  })
})
