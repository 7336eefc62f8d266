// The last step of `npm run build`: the command line can be executed, and declarations that no public name needs are gone.
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

for (const name of readdirSync(dist, { recursive: true })) {
  const file = path.join(dist, name)
  if (/\.d\.m?ts$/.test(name) && !needed.has(file)) rmSync(file)
}

chmodSync(path.join(dist, 'cli/main.js'), 0o755)
