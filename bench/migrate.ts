import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { withDatabase, type Server } from './databases.ts'
import { measure, type Contender } from './measure.ts'
import { onEmptyDatabase, runNode, runProgram } from './processes.ts'
import { writePlainProject, writeProjectWithLibrary } from './projects.ts'
import { recordMigrations } from './record.ts'
import type { Comparison } from './report.ts'

const root = join(__dirname, '..')
const knexCommand = join(root, 'node_modules', 'knex', 'bin', 'cli.js')

/** `knex migrate:latest` on an empty database, as a whole process, against the same SQL without this library. */
export async function compareMigrate(server: Server): Promise<Comparison[]> {
  const recorded = await withDatabase(server, recordMigrations)
  const [application, plain] = await Promise.all([writeProjectWithLibrary(), writePlainProject(recorded)])
  const sqlFile = join(plain.directory, 'migrations.sql')
  await writeFile(sqlFile, `${recorded.flatMap(({ statements }) => statements).join(';\n')};\n`)
  const migrateIn = (directory: string): Contender =>
    onEmptyDatabase(server, (url) => runNode([knexCommand, 'migrate:latest'], directory, url))
  try {
    const { withLibrary, here, knexAlone, psql } = await measure(
      {
        withLibrary: migrateIn(application.directory),
        here: migrateIn(root),
        knexAlone: migrateIn(plain.directory),
        psql: onEmptyDatabase(server, (url) =>
          runProgram('psql', ['-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', sqlFile, url], root, url),
        ),
      },
      { warmUp: 1, counted: 15 },
    )
    const what = 'knex migrate:latest in an application'
    const plainly = 'the same SQL in plain migrations'
    return [
      { what, milliseconds: withLibrary, against: plainly, baseline: knexAlone, target: { atMost: 1.25 } },
      { what, milliseconds: withLibrary, against: 'psql -1 -f of the same SQL', baseline: psql, target: null },
      {
        what: 'knex migrate:latest in this repository',
        milliseconds: here,
        against: plainly,
        baseline: knexAlone,
        target: null,
      },
    ]
  } finally {
    await Promise.all([application.remove(), plain.remove()])
  }
}
