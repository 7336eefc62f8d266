import { secondsText } from '../../core/time-text.ts'
import { sizeText } from '../../core/sizes.ts'
import type { MeasuredColumn } from '../../model-change/comparison.ts'
import type { ModelChangeStatus, ModelName } from '../../model-change/status.ts'
import { bold, yellow } from './colour.ts'
import { table } from './table.ts'
import { counted } from './counted.ts'

/** Describes a change of model: its phase, what is left, and the next command. */
export function describeChange(status: ModelChangeStatus, declared: string): readonly string[] {
  const { phase, from, to, active, rows, cost, secondsLeft, comparison, warnings, next } = status
  const rowOf = (name: ModelName, column: MeasuredColumn | undefined): string[] => [
    name.column === active.column ? 'active' : '',
    name.column,
    name.model,
    name.metric,
    ...measured(column),
  ]
  const left =
    cost === null || cost.texts === 0
      ? []
      : [
          `${cost.texts.toLocaleString('en')} texts to embed, about ${sizeText(cost.bytes)}` +
            (secondsLeft === null ? '' : `, ${secondsText(secondsLeft)} at the speed of the last run`),
        ]
  const failed =
    rows === null || rows.failed === 0
      ? []
      : [`${counted(rows.failed, 'row')} could not be embedded: see npx knex-pgvector vectors status`]
  return [
    phase === 'done' ? `${bold('done')}: the old column is dropped` : `next phase: ${bold(phase)}`,
    ...table(
      ['', 'column', 'model', 'metric', 'recall', 'a search'],
      phase === 'done'
        ? [rowOf(to, comparison?.target)]
        : [rowOf(from, comparison?.source), rowOf(to, comparison?.target)],
    ),
    ...left,
    ...failed,
    ...warnings.map((warning) => `${yellow('⚠')} ${warning}`),
    ...(next === null ? [] : [`Next: ${next} --declared ${declared}`]),
  ]
}

function measured(column: MeasuredColumn | undefined): string[] {
  if (column === undefined) return ['', '']
  const { recall, milliseconds } = column
  return [
    recall === null ? 'unknown' : `${(recall * 100).toFixed(1)} %`,
    milliseconds === null ? 'unknown' : `${milliseconds} ms`,
  ]
}
