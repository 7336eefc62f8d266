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
    'commit/* soon */',
    'rollback -- to a savepoint',
    '/* a /* b */ c */ end work',
    'select 1 -- a\r;commit',
    `select 'a' /* no ' */; abort`,
    'create function f() returns int begin atomic select 1; end; commit',
    'create function f() returns int begin atomic select 1 case; end; commit',
    'select begin atomic from (select 1 as begin) as t; commit',
    'select a$b$ from t; commit; select c$b$ from t',
    `select $1;commit`,
    'rollback transaction and chain',
    'prepare/**/transaction $$x$$',
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
    '/* a /* b */ ; commit */ select 1',
    `select 'a'\n'; commit; '`,
    `select U&'; commit; ', $b$; commit; $b$`,
    'create function f() returns int begin atomic select case 1 when 1 then 2 end; end',
    'rollback /* only */ work -- this far\n to savepoint a',
    'prepare commit as select 1',
    'create procedure p() begin atomic insert into a default values; end; select 1',
    'insert into commits values (1); select 1',
  ])('passes where it does not: %s', (sql) => {
    expect(() => refuseToEndTransaction(sql, '001')).not.toThrow()
  })
})
