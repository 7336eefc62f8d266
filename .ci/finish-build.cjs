// The last step of `npm run build`: the command line can be executed, and what is stale or declares no public name is gone.
const { chmodSync, existsSync, readdirSync, readFileSync, rmSync } = require('node:fs')
const path = require('node:path')

const dist = path.resolve(__dirname, '../dist')
const { exports: subpaths } = require('../package.json')

const needed = new Set()

function need(file) {
  if (needed.has(file) || !existsSync(file)) return
  needed.add(file)
  for (const [, imported] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*['"](\.[^'"]+)['"]/g)) {
    need(path.resolve(path.dirname(file), imported.replace(/\.(m?)[jt]s$/, '.d.$1ts')))
  }
}

for (const subpath of Object.values(subpaths)) {
  for (const { types } of [subpath.import, subpath.require].filter(Boolean)) need(path.resolve(dist, '..', types))
}

// What an earlier build made of a source that is gone would be packed too.
function isStale(name) {
  return !existsSync(path.resolve(dist, '../src', name.replace(/(?:\.d)?\.(m?)[jt]s$/, '.$1ts')))
}

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const file = path.join(entry.parentPath, entry.name)
  const name = path.relative(dist, file)
  if (entry.isFile() && (isStale(name) || (/\.d\.m?ts$/.test(name) && !needed.has(file)))) rmSync(file)
}

chmodSync(path.join(dist, 'cli/main.js'), 0o755)
