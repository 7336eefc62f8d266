import { bold, cyan, green, red, yellow } from '../output/colour.ts'

import { diagnose } from '../../doctor/diagnose.ts'
import type { Finding } from '../../doctor/finding.ts'
import type { Context } from '../context.ts'
import { wrap } from '../output/wrap.ts'
import { exitCode } from '../exit-code.ts'

const marks = {
  ok: green('✓'),
  warning: yellow('⚠'),
  error: red('✗'),
  unknown: cyan('–'),
} as const satisfies Record<Finding['level'], string>

interface Flags {
  readonly minVersion?: string
  readonly schema?: string
}

/** Checks everything that migrations and vector search need, and prints how to fix what is wrong. */
export async function run({ knex, print }: Context, flags: Flags): Promise<number> {
  const findings = await diagnose(knex, { minVersion: flags.minVersion, schema: flags.schema })
  const count = (level: Finding['level']): number => findings.filter((finding) => finding.level === level).length
  const [errors, warnings, unknown] = [count('error'), count('warning'), count('unknown')]
  print.line('Diagnosis')
  print.line('='.repeat(50))
  for (const finding of findings) for (const line of linesOf(finding)) print.line(line)
  print.line()
  print.line(`Errors: ${errors}, warnings: ${warnings}, not looked at: ${unknown}`)
  print.document({ findings, errors, warnings, unknown })
  if (findings.some(({ check, level }) => check === 'connection' && level === 'error')) return exitCode.failure
  return errors > 0 ? exitCode.found : exitCode.done
}

const CHECK_WIDTH = 'connection'.length
const INDENT = CHECK_WIDTH + 6
const NARROWEST = 40

function messageWidth(): number {
  const { isTTY, columns } = process.stdout
  return isTTY && columns !== undefined ? Math.max(NARROWEST, columns - INDENT) : Infinity
}

function linesOf({ level, check, message, next }: Finding): string[] {
  const steps = next === undefined ? [] : stepsIn(next)
  const indent = ' '.repeat(INDENT)
  const [first = '', ...rest] = wrap(message, messageWidth())
  return [
    `  ${marks[level]} ${check.padEnd(CHECK_WIDTH)}  ${first}`,
    ...rest.map((line) => indent + line),
    // A step may be a command to copy, so it stays on one line.
    ...steps.map((step) => `${indent}→ ${bold(step)}`),
  ]
}

// A line break in a quoted name does not begin a step.
function stepsIn(next: string): string[] {
  return next.match(/(?:[^"\n]|"[^"]*(?:"|$))+/g) ?? []
}
