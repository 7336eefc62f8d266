import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { analyse } from 'scslre'
import ts from 'typescript'

import { OPENING } from '../src/sql-text/tokens.ts'

/**
 * The regular expressions of the source, analysed: one that backtracks over what it has read, or that starts again at
 * each place of a long run, takes quadratic time or worse. Most of them read text from outside.
 */

const root = join(__dirname, '../src')

describe('a regular expression', () => {
  test('takes linear time, whatever it reads', () => {
    const all = [...literals(), { where: 'sql-text/tokens.ts: OPENING', expression: OPENING }]
    expect(all.length).toBeGreaterThan(100)
    expect(all.flatMap(({ where, expression }) => problemsOf(expression).map((type) => `${where} ${type}`))).toEqual([])
  })

  test('is a literal, so that it can be found here', () => {
    expect(madeElsewhere()).toEqual(['sql-text/tokens.ts'])
  })

  test.each([/^(a+)+$/, /^\d+\.?\d*$/, /\s+$/, /a\s*,\s*b|\s*c/])(
    'is known by this analysis to be slow: %s',
    (slow) => {
      expect(problemsOf(slow)).not.toEqual([])
    },
  )
})

function problemsOf({ source, flags }: RegExp): readonly string[] {
  return analyse({ source, flags }).reports.map(({ type }) => type)
}

function literals(): readonly { readonly where: string; readonly expression: RegExp }[] {
  return sources().flatMap(({ file, source }) =>
    nodesOf(source)
      .filter((node) => ts.isRegularExpressionLiteral(node))
      .map((node) => {
        const text = node.getText(source)
        const end = text.lastIndexOf('/')
        return { where: `${file}: ${text}`, expression: new RegExp(text.slice(1, end), text.slice(end + 1)) }
      }),
  )
}

function madeElsewhere(): readonly string[] {
  return sources()
    .filter(({ source }) =>
      nodesOf(source).some((node) => ts.isNewExpression(node) && node.expression.getText(source) === 'RegExp'),
    )
    .map(({ file }) => file)
}

function sources(): readonly { readonly file: string; readonly source: ts.SourceFile }[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.m?ts$/.test(file))
    .map((file) => {
      const text = readFileSync(join(root, file), 'utf8')
      return { file: file.replaceAll('\\', '/'), source: ts.createSourceFile(file, text, ts.ScriptTarget.Latest) }
    })
}

function nodesOf(node: ts.Node): ts.Node[] {
  const nodes = [node]
  ts.forEachChild(node, (child) => {
    nodes.push(...nodesOf(child))
  })
  return nodes
}
