import { PgvectorMigrationError } from '../core/errors.ts'
import { isModelChange, type ModelChange } from '../model-change/change-model.ts'
import { loadModule } from './load-module.ts'

/** The change of model that a module exports, alone, in a list or in an object. If there are several, the one to `model`. */
export async function declaredChange(path: string, model: string | undefined): Promise<ModelChange> {
  const found: ModelChange[] = []
  collect(await loadModule('--declared', path), found)
  const fitting = found.filter(({ to }) => model === undefined || to.model === model)
  const [change, another] = fitting
  if (change !== undefined && another === undefined) return change
  const models = found
    .map(({ to }) => to.model)
    .toSorted()
    .join(', ')
  const problem =
    found.length === 0
      ? '--declared: the module exports nothing that changeModel made'
      : change === undefined
        ? `--model: the module declares changes to ${models}, not to ${model ?? ''}`
        : `--model: the module declares several changes, to ${models}: name one`
  throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
}

function collect(value: unknown, found: ModelChange[]): void {
  if (typeof value !== 'object' || value === null) return
  if (isModelChange(value)) found.push(value)
  else for (const inside of Object.values(value)) collect(inside, found)
}
