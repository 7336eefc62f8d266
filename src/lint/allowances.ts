import { tokensOf } from '../sql-text/tokens.ts'
import { lintRules, type LintRule } from './rules.ts'

/** The rules that the comments of a statement allow, and errors in these comments. */
export interface Allowances {
  readonly reasons: ReadonlyMap<LintRule, string>
  readonly problems: readonly string[]
}

const MARK = /\bknex-pgvector:\s*allow\b/i
const ALLOWANCE = /\bknex-pgvector:\s*allow\s+(?<ids>[\w-]+(?:\s*,\s*[\w-]+)*)\s*:\s*(?<reason>\S[^]*)$/i

/** Reads `-- knex-pgvector: allow some-rule: why` before a statement or inside it. */
export function allowancesIn(sql: string): Allowances {
  const reasons = new Map<LintRule, string>()
  const problems: string[] = []
  for (const { kind, text } of tokensOf(sql)) {
    if (kind !== 'comment' || !MARK.test(text)) continue
    const comment = text.replace(/\*\/$/, '').trim()
    const { ids = '', reason } = ALLOWANCE.exec(comment)?.groups ?? {}
    if (reason === undefined) {
      problems.push(`"${comment}" allows nothing: it is written -- knex-pgvector: allow some-rule: the reason`)
    }
    for (const id of reason === undefined ? [] : ids.split(',').map((each) => each.trim())) {
      if (isRule(id)) reasons.set(id, (reason ?? '').replaceAll(/\s+/g, ' ').trim())
      else problems.push(`"${comment}" allows ${id}, and there is no such rule: they are ${lintRules.join(', ')}`)
    }
  }
  return { reasons, problems }
}

function isRule(id: string): id is LintRule {
  return (lintRules as readonly string[]).includes(id)
}
