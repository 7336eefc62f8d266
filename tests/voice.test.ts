import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { pages } from './support/pages.ts'
import { retiredPhrases } from './support/retired-phrases.ts'
import { stringsIn, titlesIn } from './support/strings.ts'

const root = join(__dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => `src/${path}`)

const tests = readdirSync(__dirname)
  .filter((name) => name.endsWith('.test.ts') && name !== 'voice.test.ts')
  .map((name) => `tests/${name}`)

const HELP = /<!-- help: [\s\S]*?<!-- \/help -->/

describe('a retired phrase', () => {
  test.each(retiredPhrases)('is found: $example', ({ example, pattern }) => {
    expect(example).toMatch(pattern)
  })

  test.each(pages)('is not in %s', (path) => {
    // The help is checked where it is written, in src/cli.
    expect(findingsIn(read(path).replace(HELP, ''))).toEqual([])
  })

  test.each(sources)('is not in a message of %s', (path) => {
    expect(stringsIn(read(path)).flatMap(findingsIn)).toEqual([])
  })

  test.each(tests)('is not in the name of a test of %s', (path) => {
    const titles = titlesIn(read(path))
    expect(titles.length).toBeGreaterThan(0)
    expect(titles.flatMap(findingsIn)).toEqual([])
  })
})

/** What to write instead of each retired phrase in a text, with the phrase and what is around it. */
function findingsIn(text: string): string[] {
  return retiredPhrases.flatMap(({ pattern, instead }) => {
    const matches = text.matchAll(new RegExp(pattern, `${pattern.flags}g`))
    return [...matches].map(({ index, 0: phrase }) => {
      const around = text.slice(Math.max(index - 30, 0), index + phrase.length + 30).replaceAll(/\s+/g, ' ')
      return `“${phrase}” in “${around}”: write ${instead}`
    })
  })
}
