import { compareCommandLine } from './command-line.ts'
import { onEmbedded, onServer, startServer, withDatabase } from './databases.ts'
import { compareEnabled } from './enabled.ts'
import { compareFirstEnabling } from './first-enabling.ts'
import { compareMigrate } from './migrate.ts'
import { compareSearch } from './search.ts'
import { table, type Comparison } from './report.ts'

async function main(): Promise<void> {
  process.stdout.write(`Node ${process.version}; medians of one run; a ratio is the median of those of its rounds\n\n`)
  process.stdout.write(table('embedded (PGlite, in memory)', await onEmbedded(compareOnOneConnection)))
  const server = await startServer()
  try {
    const comparisons = await withDatabase(server, (url) => onServer(url, compareOnOneConnection))
    const searches = await withDatabase(server, (url) => onServer(url, compareSearch))
    process.stdout.write(
      table(server.name, [
        ...comparisons,
        ...searches,
        ...(await compareMigrate(server)),
        ...(await compareCommandLine(server)),
      ]),
    )
  } finally {
    await server.stop()
  }
}

async function compareOnOneConnection(knex: Parameters<typeof compareEnabled>[0]): Promise<Comparison[]> {
  return [...(await compareEnabled(knex)), ...(await compareFirstEnabling(knex))]
}

void main()
