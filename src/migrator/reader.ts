import { choiceKind, optionsParser, required } from '../core/option-kinds.ts'
import type { Session } from '../database/session.ts'
import type { Direction } from './events.ts'
import { withExplainedErrors } from './explained-errors.ts'
import { parseDownSelection, parseUpSelection, type DownSelection, type UpSelection } from './select.ts'
import type { MigrationSettings } from './settings.ts'
import { parseReadOptions, preview, statusOf, type MigrationStatus, type ReadOptions } from './status.ts'

/** Read-only questions about migrations. */
export interface MigrationReader {
  /** Every migration and whether it was applied. It only reads. */
  status(options?: ReadOptions): Promise<MigrationStatus[]>
  /** The names of the migrations that a run would apply or roll back. It only reads. */
  preview(direction: Direction, selection?: UpSelection & DownSelection): Promise<readonly string[]>
}

const parseDirection = optionsParser({ direction: required(choiceKind(['up', 'down'])) })

/** Separate from the migrator, so that a read-only command does not load the code that migrates. */
export function createReader(session: Session, settings: MigrationSettings): MigrationReader {
  const reads = <Result>(work: () => Promise<Result>): Promise<Result> =>
    withExplainedErrors(session, settings, 'read', work)
  return {
    status: (options) => reads(() => statusOf(session, settings, parseReadOptions(options))),
    preview: (direction, selection) =>
      reads(() => {
        parseDirection({ direction })
        const choice = direction === 'up' ? parseUpSelection(selection) : parseDownSelection(selection)
        return preview(session, settings, direction, choice)
      }),
  }
}
