// Prints the changelog's section of the version that a tag names: node .ci/release-notes.cjs v1.2.3
const { readFileSync } = require('node:fs')
const path = require('node:path')

const root = path.resolve(__dirname, '..')
const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'))
const [tag] = process.argv.slice(2)
const isRehearsal = tag === '--rehearse'

if (!isRehearsal && tag !== `v${version}`) fail(`The tag is ${tag}, and the version of package.json ${version}.`)

const sections = readFileSync(`${root}/CHANGELOG.md`, 'utf8').split(/^(?=## )/m)
const section = sections.find((text) => text.startsWith(`## ${version} `)) ?? ''
const [heading = '', ...lines] = section.split('\n')
const when = heading.slice(`## ${version} `.length)
const expected = isRehearsal ? /^\((unreleased|\d{4}-\d\d-\d\d)\)$/ : /^\(\d{4}-\d\d-\d\d\)$/

if (!expected.test(when)) fail(`CHANGELOG.md needs the heading "## ${version} (YYYY-MM-DD)".`)
const notes = lines.join('\n').trim()
if (notes === '') fail(`CHANGELOG.md says nothing of ${version}.`)
process.stdout.write(`${notes}\n`)

function fail(problem) {
  process.stderr.write(`${problem}\n`)
  process.exit(1)
}
