import { relative } from 'node:path'

import type { LintFinding, LintResult, UnreadStatement } from '../../lint/lint-migrations.ts'
import { redact } from '../../sql-text/redact.ts'

/**
 * Returns the result of the linter as workflow commands of GitHub Actions, which shows them next to the lines of a pull
 * request.
 */
export function githubAnnotations({ findings, unread, notes }: LintResult, folder: string): string[] {
  return [
    ...findings.map((finding) =>
      command('error', finding, `${finding.message}. ${finding.next}`, folder, finding.rule),
    ),
    ...unread.map((each) => command('notice', each, `${each.migration}: not read: ${each.reason}`, folder)),
    ...notes.map((note) => `::notice::${escapedText(redact(note))}`),
  ]
}

function command(
  level: 'error' | 'notice',
  { file, line }: Pick<LintFinding | UnreadStatement, 'file' | 'line'>,
  message: string,
  folder: string,
  title?: string,
): string {
  const properties = [
    ...(file === null ? [] : [`file=${escapedProperty(pathFrom(folder, file))}`]),
    ...(file === null || line === null ? [] : [`line=${line}`]),
    ...(title === undefined ? [] : [`title=${escapedProperty(title)}`]),
  ]
  const separator = properties.length === 0 ? '' : ' '
  return `::${level}${separator}${properties.join(',')}::${escapedText(redact(message))}`
}

// GitHub compares paths of the repository, which have forward slashes on Windows too.
function pathFrom(folder: string, file: string): string {
  return relative(folder, file).replaceAll('\\', '/')
}

function escapedText(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function escapedProperty(text: string): string {
  return escapedText(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
