import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { withHelp } from './help.ts'
import { readOptionSources, withOptionTables } from './option-tables.ts'

const root = resolve(__dirname, '..')
const docs = join(root, 'docs')

/** Writes what the documents take from the code: the tables of options, and the help of the command line. */
const sources = readOptionSources()
const help = execFileSync(process.execPath, [join(root, 'dist/cli/main.js'), '--help'], {
  encoding: 'utf8',
  env: { ...process.env, NO_COLOR: '1', COLUMNS: '80' },
})
for (const name of readdirSync(docs).filter((each) => each.endsWith('.md'))) {
  const path = join(docs, name)
  writeFileSync(path, withHelp(withOptionTables(readFileSync(path, 'utf8'), sources), help))
}
