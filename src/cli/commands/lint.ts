import { relative } from 'node:path'

import { bold, gray, green, red, yellow } from '../output/colour.ts'

import { lint } from '../../lint/lint-pending.ts'
import type { LintFinding, LintResult } from '../../lint/lint-migrations.ts'
import type { Context } from '../context.ts'
import { declaredVectors } from '../declared-vectors.ts'
import { githubAnnotations } from '../output/github.ts'
import type { Printer } from '../output/printer.ts'
import { redact } from '../../sql-text/redact.ts'
import { tokensOf } from '../../sql-text/tokens.ts'
import { withReplayProgress } from '../output/replay-progress.ts'
import { exitCode } from '../exit-code.ts'
import { divertConsole } from '../output/quiet-console.ts'

interface Flags {
  readonly to?: string
  readonly only?: string
  readonly skip?: readonly string[]
  readonly declared?: string
  readonly github?: boolean
}

/** Checks the SQL of the pending migrations against rules for vectors. */
export async function run(
  { knex, print, isQuiet }: Context,
  { declared, to, only, skip, github = false }: Flags,
): Promise<number> {
  // Migrations may print to the console.
  divertConsole(isQuiet)
  const { indexes } = declared === undefined ? { indexes: [] } : await declaredVectors(declared)
  const result = await withReplayProgress(print, isQuiet, (onEvent) =>
    lint(knex, { to, only, skip, declared: indexes, onEvent }),
  )
  const { findings, allowed, unread, notes } = result
  if (github) {
    // GitHub sets this variable to the root of the repository, which may not be the working directory.
    for (const line of githubAnnotations(result, process.env.GITHUB_WORKSPACE ?? process.cwd())) print.line(line)
  } else {
    for (const migration of migrationsIn(result)) show(migration, result, print)
    for (const note of notes) print.line(`${yellow('⚠')} ${redact(note)}`)
  }
  if (findings.length === 0) print.line(`${green('✓')} Nothing found`)
  print.line(`Findings: ${findings.length}, allowed: ${allowed.length}, not read: ${unread.length}`)
  print.document(documentOf(result))
  return findings.length > 0 ? exitCode.found : exitCode.done
}

function migrationsIn({ findings, allowed, unread }: LintResult): string[] {
  return [...new Set([...findings, ...allowed, ...unread].map(({ migration }) => migration))].toSorted()
}

function show(name: string, { findings, allowed, unread }: LintResult, print: Printer): void {
  const isIn = ({ migration }: { readonly migration: string }): boolean => migration === name
  print.line(bold(name))
  for (const finding of findings.filter(isIn)) {
    print.line(`  ${red('✗')} ${finding.rule}  ${finding.message}`)
    print.line(`      ${gray(`${placeOf(finding)}${shortened(finding)}`)}`)
    print.line(`      → ${finding.next}`)
  }
  for (const finding of allowed.filter(isIn)) print.line(`  ${green('✓')} ${finding.rule}  allowed: ${finding.reason}`)
  for (const statement of unread.filter(isIn)) {
    print.line(`  ${yellow('–')} not read: ${statement.reason}`)
    print.line(`      ${gray(`${placeOf(statement)}${shortened(statement)}`)}`)
  }
  print.line()
}

function placeOf({ file, line }: Pick<LintFinding, 'file' | 'line'>): string {
  if (file === null) return ''
  return `${relative(process.cwd(), file)}${line === null ? '' : `:${line}`}  `
}

const SHOWN = 100

function shortened({ statement }: Pick<LintFinding, 'statement'>): string {
  const pieces = Array.from(tokensOf(redact(statement)), ({ kind, text }) => (kind === 'comment' ? ' ' : text))
  const text = pieces.join('').replaceAll(/\s+/g, ' ').trim()
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 1)}…` : text
}

function documentOf({ findings, allowed, unread, notes }: LintResult): unknown {
  return {
    findings: findings.map(clean),
    allowed: allowed.map(clean),
    unread: unread.map(clean),
    notes: notes.map(redact),
  }
}

function clean<Each extends { readonly statement: string }>(each: Each): Each {
  return { ...each, statement: redact(each.statement) }
}
