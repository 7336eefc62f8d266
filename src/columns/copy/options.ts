import { PgvectorMigrationError } from '../../core/errors.ts'
import { functionKind, optionsParser, signalKind, textKind } from '../../core/option-kinds.ts'
import { conditionOption, nameOption } from '../../core/options.ts'
import type { CopyNames } from './target.ts'

/** The progress of {@link copyVectors}: once a second, and at the end. */
export interface CopyEvent {
  readonly type: 'progress'
  readonly rows: number
  readonly bytes: number
  readonly rowsPerSecond: number
}

/** Options of {@link copyVectors}. */
export interface CopyVectorsOptions {
  /** The schema of the table; default: the one that the search path finds. */
  readonly schema?: string | undefined
  /** Stops the copy. Nothing is stored, and the reason of the signal is thrown. */
  readonly signal?: AbortSignal | undefined
  /** Receives the progress. */
  readonly onEvent?: ((event: CopyEvent) => void) | undefined
}

/** Options of {@link readVectors}. */
export interface ReadVectorsOptions {
  /** The schema of the table; default: the one that the search path finds. */
  readonly schema?: string | undefined
  /** Read only the rows that meet this SQL condition, which is sent unchanged. */
  readonly where?: string | undefined
}

const schemaKind = { ...textKind, isPlain: () => false, schema: nameOption }

/** @internal */
export const parseCopyOptions = optionsParser({
  schema: schemaKind,
  signal: signalKind,
  onEvent: functionKind<(event: CopyEvent) => void>(),
})

/** @internal */
export const parseReadOptions = optionsParser({
  schema: schemaKind,
  where: { ...textKind, isPlain: () => false, schema: conditionOption },
})

/** Checks what is to be copied, before anything is sent. */
export function copyNames(table: unknown, columns: unknown, schema: string | undefined): CopyNames {
  const problems: string[] = []
  if (typeof table !== 'string' || !isName(table)) problems.push('table: must be a name of 1 to 63 bytes')
  const names: readonly unknown[] = Array.isArray(columns) ? columns : []
  if (names.length === 0 || !names.every((name) => typeof name === 'string' && isName(name))) {
    problems.push('columns: must be a list of names')
  } else if (new Set(names).size < names.length) {
    problems.push('columns: must name each column once')
  }
  if (problems.length > 0) throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  return { schema: schema ?? null, table: table as string, columns: names as readonly string[] }
}

function isName(name: string): boolean {
  return nameOption().safeParse(name).success
}
