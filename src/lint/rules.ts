import type { Rule } from './rule.ts'
import { blockingIndex } from './rules/blocking-index.ts'
import { cascade } from './rules/cascade.ts'
import { changeType } from './rules/change-type.ts'
import { dropExtension } from './rules/drop-extension.ts'
import { indexMethod } from './rules/index-method.ts'
import { ivfflatWithoutRows } from './rules/ivfflat-without-rows.ts'
import { lockTimeout } from './rules/lock-timeout.ts'
import { concurrently } from './rules/concurrently.ts'
import { functionDimensions } from './rules/function-dimensions.ts'
import { indexOption } from './rules/index-option.ts'
import { invalidIndex } from './rules/invalid-index.ts'
import { lostVectors } from './rules/lost-vectors.ts'
import { notAwaited } from './rules/not-awaited.ts'
import { operatorClass } from './rules/operator-class.ts'
import { replacedColumn } from './rules/replaced-column.ts'
import { tooManyDimensions } from './rules/too-many-dimensions.ts'
import { unsizedColumn } from './rules/unsized-column.ts'

/** Every rule by its id, in the order of docs/lint.md, which has a heading for each. */
export const rules = {
  'blocking-index': blockingIndex,
  concurrently,
  'invalid-index': invalidIndex,
  'index-method': indexMethod,
  'index-option': indexOption,
  'operator-class': operatorClass,
  'unsized-column': unsizedColumn,
  'too-many-dimensions': tooManyDimensions,
  'function-dimensions': functionDimensions,
  'ivfflat-without-rows': ivfflatWithoutRows,
  'drop-extension': dropExtension,
  cascade,
  'change-type': changeType,
  'replaced-column': replacedColumn,
  'lost-vectors': lostVectors,
  'lock-timeout': lockTimeout,
  'not-awaited': notAwaited,
} as const satisfies Record<string, Rule>

/** The id of a rule of the linter. */
export type LintRule = keyof typeof rules

export const lintRules = Object.keys(rules) as readonly LintRule[]
