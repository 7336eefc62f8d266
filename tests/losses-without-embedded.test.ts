import type * as loadPackage from '../src/embedded/load-package.ts'
import { PgvectorMigrationError } from '../src/index.ts'
import { describeOnOneServer } from './support/databases.ts'
import { migratorOf } from './support/steps.ts'

jest.mock('../src/embedded/load-package.ts', (): typeof loadPackage => ({
  loadPackage: (_importIt, missing) =>
    Promise.reject(new PgvectorMigrationError('EMBEDDED_NOT_INSTALLED', { missing })),
}))

describeOnOneServer('losses without the packages of the embedded database', (database) => {
  test('say which command installs them', async () => {
    const outside = { name: '001_a', up: 'create table a (id int)', down: 'drop table a', transaction: false }
    const migrator = await migratorOf(database().knex, [outside])
    const { warnings } = await migrator.losses()
    expect(warnings).toEqual([
      expect.stringMatching(
        /embedded database needs .* Run: npm install @electric-sql\/pglite @electric-sql\/pglite-pgvector$/,
      ),
    ])
  })
})
