import type { Knex } from 'knex'

import { repairVectorIndexes } from '../../src/index.ts'
import { type Check, type Finding } from '../../src/doctor.ts'

/** Migrations of these names that do nothing, unless they are told to. */
export function source(names: readonly string[], up?: (knex: Knex) => Promise<void>): Knex.MigrationSource<string> {
  const nothing = (): Promise<void> => Promise.resolve()
  return {
    getMigrations: () => Promise.resolve([...names]),
    getMigrationName: (name) => name,
    getMigration: () => Promise.resolve({ up: up ?? nothing, down: nothing }),
  }
}

/** Two of them, for {@link diagnose}. */
export const two = { migrationSource: source(['001_first', '002_second']) }

/** The findings of one check. */
export const of = (findings: readonly Finding[], check: Check): Finding[] =>
  findings.filter((each) => each.check === check)
export const levelsOf = (findings: readonly Finding[], check: Check): string[] =>
  of(findings, check).map(({ level }) => level)
export const errorsOf = (findings: readonly Finding[]): Finding[] => findings.filter(({ level }) => level === 'error')

/** Runs what a finding says is next: the lines of SQL, each by itself, or the command. */
export async function follow(knex: Knex, finding: Finding | undefined): Promise<void> {
  const next = finding?.next ?? 'a finding without a next step'
  if (next === 'npx knex-pgvector index repair') await repairVectorIndexes(knex, { logger: false })
  else for (const statement of next.split('\n')) await knex.raw(statement)
}
