describe('the embedded database that the tests of a file share', () => {
  const { returnEmbedded, takeEmbedded } = worker

  test('is as empty as a new one for the next test', async () => {
    const first = await takeEmbedded()
    await first.pglite.exec(`
      create extension vector;
      create schema app;
      create table app.documents (id serial primary key, embedding vector(3));
      create table documents (id int);
      create temporary table notes (id int);
      create function nothing() returns event_trigger language plpgsql as 'begin end';
      create event trigger on_command on ddl_command_end execute function nothing();
      create publication everything for all tables;
      create role reader;
      alter default privileges grant select on tables to reader;
      grant reader to postgres;
      alter role reader set search_path = app;
      alter database postgres set work_mem = '1MB';
      select lo_create(0), pg_advisory_lock(7);
      set search_path = app;
      set role reader`)
    await first.pglite.exec('begin')
    await returnEmbedded(first)
    const second = await takeEmbedded()
    expect(second.pglite).toBe(first.pglite)
    const { rows } = await second.pglite.query(`select current_user, current_schemas(false)::text as schemas,
      to_regclass('documents') as documents, to_regtype('vector') as vector`)
    expect(rows).toEqual([{ current_user: 'postgres', schemas: '{public}', documents: null, vector: null }])
    await returnEmbedded(second)
  })

  test('is replaced after a test that changed what cannot be dropped, and that test fails', async () => {
    const first = await takeEmbedded()
    await first.pglite.exec('revoke execute on function pg_sleep from public')
    await expect(returnEmbedded(first)).rejects.toThrow(/left behind: privileges on pg_sleep\(double precision\)/)
    const second = await takeEmbedded()
    expect(second.pglite).not.toBe(first.pglite)
    await returnEmbedded(second)
  })
})
